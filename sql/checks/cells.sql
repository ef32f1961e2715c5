-- The cells of a condition's batches add up to the condition's cells.
select c.condition_index, c.n_cells, c.n_batches, b.cells, b.batches
from release.condition as c
join (
    select condition_index, sum(n_cells) as cells, count(*) as batches, bool_and(n_cells_half between 0 and n_cells) as fits
    from release.condition_batch group by all
) as b using (condition_index)
where c.n_cells is distinct from b.cells or c.n_batches is distinct from b.batches or not b.fits
