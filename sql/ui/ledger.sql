-- What became of every published name of one dataset, counted.
select
    entity, status, count(*) as n_names, count(target_id) as n_mapped,
    array_to_string(list(original order by original)[:3], ', ') as such_as
from mapping
where dataset_id = $dataset_id
group by entity, status
order by entity, n_names desc
