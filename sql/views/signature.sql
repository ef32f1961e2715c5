-- Each condition's difference from its control, computed from the sums or as the source reported it. What is computed is kept to a millionth of itself (p, q) or to 1.6e-5 (the others).
-- example: select gene_symbol, effect, z from signature where condition_id = 'JAK2/THP-1' order by z limit 10
select
    s.dataset_id, c.condition_id, g.gene_id, g.gene_symbol,
    s.effect, s.effect_kind, s.standard_error, s.z, s.p_value, s.q_value,
    if(s.effect_kind = 'log2_fold_change', s.effect, s.log2fc) as log2fc,
    if(s.effect_kind = 'log2_fold_change', s.standard_error, s.log2fc_standard_error) as log2fc_standard_error
from release.signature as s
join release.condition as c using (dataset_id, condition_index)
-- 'is not distinct from' keeps DuckDB from joining all conditions with all genes of a dataset first.
join release.gene as g on g.gene_index = s.gene_index and g.dataset_id is not distinct from s.dataset_id
