-- What became of each published name of one dataset, those that did not map first.
select entity, original, target_id, status, method, array_to_string(candidates, ', ') as candidates, note
from mapping
where dataset_id = $dataset_id
order by target_id is not null, entity, original
