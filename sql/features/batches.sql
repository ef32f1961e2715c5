-- Cells of each condition of one dataset in each batch, all and the first half.
select b.condition_index, coalesce(b.batch, '') as batch, b.n_cells, b.n_cells_half
from release.condition_batch as b
where b.dataset_id = $dataset_id
