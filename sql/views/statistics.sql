-- Additive sums of each condition and measured gene; with condition.n_cells they give every mean and variance.
-- A gene that a dataset did not measure has no row; a measured gene without a single count has zeros.
-- example: select sum_log1p / n_cells as mean from statistics join condition using (dataset_id, condition_id)
select
    s.dataset_id, c.condition_id, g.gene_id,
    s.count as sum_counts, s.count, s.sum_log1p, s.sum_log1p_square, s.n_expressing
from release.statistics as s
join release.condition as c using (dataset_id, condition_index)
-- 'is not distinct from' keeps DuckDB from joining all conditions with all genes of a dataset first.
join release.gene as g on g.gene_index = s.gene_index and g.dataset_id is not distinct from s.dataset_id
