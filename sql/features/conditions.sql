-- Conditions of one dataset, with their quality.
select c.*, q.* exclude (dataset_id, condition_id, n_cells)
from condition as c
left join quality as q using (dataset_id, condition_id)
where c.dataset_id = $dataset_id
order by c.condition_id
