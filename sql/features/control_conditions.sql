-- Control conditions of one dataset with so many cells that they would not agree by chance.
select condition_id, experiment_id, n_cells
from condition
where dataset_id = $dataset_id and is_control and n_cells >= $fewest
order by condition_id
