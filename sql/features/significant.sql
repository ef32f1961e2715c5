-- Genes that were tested in some conditions of one dataset, with their false discovery rates.
select s.condition_index, s.gene_index, s.q_value
from release.signature as s
where s.dataset_id = $dataset_id
    and s.effect_kind = $effect_kind
    and s.q_value is not null
    and s.condition_index in (select unnest($condition_indices))
