-- How one gene responds to every condition that measured it, the surest first; each condition is looked up once.
select
    c.perturbation_id, s.dataset_id, c.condition_id, c.perturbation_label, c.perturbation_kind, c.context_label,
    c.dose_um, c.time_h, c.n_cells, s.effect, s.effect_kind, s.z, s.q_value
from release.gene as g
-- 'is not distinct from' keeps DuckDB from joining all conditions with all genes of a dataset first.
join release.signature as s on s.gene_index = g.gene_index and s.dataset_id is not distinct from g.dataset_id
join release.condition as c on c.dataset_id = s.dataset_id and c.condition_index = s.condition_index
where g.gene_id = $gene_id and not c.is_control
order by abs(s.z) desc nulls last, abs(s.effect) desc, s.dataset_id, c.condition_id
