-- Signatures of some conditions of one dataset, the surest genes of each first.
select dataset_id, condition_id, perturbation, context_label, dose_um, time_h, n_cells, is_responder, gene_id, gene,
    effect, effect_kind, standard_error, log2fc, z, p_value, q_value
from effects
where dataset_id = $dataset_id and condition_id in (select unnest($condition_ids))
order by condition_id, abs(z) desc nulls last, abs(effect) desc, gene_id
