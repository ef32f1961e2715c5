-- The conditions of one dataset by evidence, each with what is known of its quality; controls have none.
select
    c.perturbation_id, c.condition_id, c.perturbation_label, c.target_symbols, c.perturbation_kind, c.context_label,
    c.dose_um, c.time_h, c.n_cells, q.knockdown_ratio, q.n_significant, q.effect_norm, q.replicate_correlation,
    q.is_responder, q.reason, c.is_control
from condition as c
left join quality as q using (dataset_id, condition_id)
where c.dataset_id = $dataset_id
order by
    coalesce(q.is_responder, false) desc, q.n_significant desc nulls last, q.effect_norm desc nulls last,
    q.tas desc nulls last, q.replicate_correlation desc nulls last, c.condition_id
