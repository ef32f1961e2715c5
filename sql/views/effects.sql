-- Signatures with what is known of their conditions: the view to ask first. What has no gene, or no test, is NULL.
-- example: select perturbation, log2fc, q_value from effects where gene = 'STAT1' and is_responder order by p_value limit 10
select
    s.dataset_id, c.condition_id, coalesce(c.perturbation, c.perturbation_label) as perturbation,
    c.perturbation_kind, c.context_label, c.dose_um, c.time_h, g.gene_id, g.gene_symbol as gene, s.effect, s.effect_kind, s.standard_error,
    if(s.effect_kind = 'log2_fold_change', s.effect, s.log2fc) as log2fc,
    s.z, s.p_value, s.q_value, c.n_cells, q.knockdown_ratio, q.is_responder
from release.signature as s
join release.condition as c using (dataset_id, condition_index)
-- 'is not distinct from' keeps DuckDB from joining all conditions with all genes of a dataset first.
join release.gene as g on g.gene_index = s.gene_index and g.dataset_id is not distinct from s.dataset_id
left join release.quality as q using (dataset_id, condition_index)
