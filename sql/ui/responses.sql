-- How one gene responds to every condition that measured it, the surest first.
select
    c.perturbation_id, s.dataset_id, s.condition_id, c.perturbation_label, c.perturbation_kind, c.context_label,
    c.dose_um, c.time_h, c.n_cells, s.effect, s.effect_kind, s.z, s.q_value
from signature as s
join condition as c using (dataset_id, condition_id)
where s.gene_id = $gene_id and not c.is_control
order by abs(s.z) desc nulls last, abs(s.effect) desc, s.dataset_id, s.condition_id
