-- The conditions of one dataset, those that change most genes beyond noise first.
select perturbation, context_label, dose_um, time_h, c.n_cells, q.knockdown_ratio, q.n_significant, q.is_responder
from condition as c
left join quality as q using (dataset_id, condition_id)
where c.dataset_id = $dataset_id and not c.is_control
order by q.n_significant desc nulls last, q.effect_norm desc nulls last, c.condition_id
