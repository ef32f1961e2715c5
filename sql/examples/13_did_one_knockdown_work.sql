-- Did a knock-down work? Expression of the target over control, 1 where nothing happened; the best of each dataset first.
select dataset_id, perturbation, context_label, q.n_cells, round(knockdown_ratio, 3) as knockdown_ratio, q.is_responder
from quality as q
join condition as c using (dataset_id, condition_id)
where knockdown_ratio is not null
order by knockdown_ratio, dataset_id, condition_id
limit 10
