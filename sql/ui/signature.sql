-- What one condition does, gene by gene, the surest first.
select gene_id, gene_symbol, effect, effect_kind, standard_error, z, p_value, q_value
from signature
where dataset_id = $dataset_id and condition_id = $condition_id
order by abs(z) desc nulls last, abs(effect) desc, gene_id
