-- The effects of some conditions, for comparing them gene by gene; each condition is 'dataset_id:condition_id'.
select s.dataset_id || ':' || s.condition_id as condition, s.gene_id, avg(s.effect)::float as effect
from signature as s
where s.dataset_id || ':' || s.condition_id in (select unnest($conditions))
group by all
