-- Scalar readouts of one dataset's conditions.
select c.condition_id, p.phenotype, p.value
from release.phenotype as p
join release.condition as c using (dataset_id, condition_index)
where p.dataset_id = $dataset_id and ($phenotype is null or p.phenotype = $phenotype)
order by all
