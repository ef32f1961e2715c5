-- Effects of some conditions of one dataset, and their standard errors, by the integer keys of its release: what a
-- matrix is filled from.
select s.condition_index, s.gene_index, s.effect, s.standard_error
from release.signature as s
where s.dataset_id = $dataset_id
    and s.effect_kind = $effect_kind
    and s.condition_index in (select unnest($condition_indices))
