-- The conditions with the most genes changed beyond noise: an effect of few cells may be large by chance.
select
    c.dataset_id, c.perturbation, c.context_label, q.n_cells, q.n_significant,
    round(q.effect_norm, 2) as effect_norm,
    round(q.replicate_correlation, 2) as replicate_correlation
from quality as q
join condition as c using (dataset_id, condition_id)
where q.is_responder
order by q.n_significant desc nulls last, q.effect_norm desc, c.dataset_id, c.condition_id
limit 10
