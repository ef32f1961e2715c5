-- Which perturbation are these conditions of?
select dataset_id, condition_id, perturbation_id, is_control
from condition
where concat(dataset_id, ':', condition_id) in (select unnest($conditions))
