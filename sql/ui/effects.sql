-- The effects of some conditions, for comparing them gene by gene; each condition is 'dataset_id:condition_id'.
-- By the keys of the files, so that no more is read than these conditions.
with wanted as (
    select dataset_id, condition_index, dataset_id || ':' || condition_id as condition
    from release.condition
    where dataset_id || ':' || condition_id in (select unnest($conditions))
)
select w.condition, g.gene_id, avg(s.effect)::float as effect
from release.signature as s
join wanted as w using (dataset_id, condition_index)
join release.gene as g using (dataset_id, gene_index)
group by w.condition, g.gene_id
