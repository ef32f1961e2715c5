-- Sums are what sums over that many cells can be: not negative, the half not more than the whole, and
-- (sum of x)^2 <= n * (sum of x^2).
select s.condition_index, s.gene_index, c.n_cells, s.* exclude (condition_index, gene_index, dataset_id, release_id)
from release.statistics as s
join release.condition as c using (condition_index)
where s.n_expressing not between 0 and c.n_cells
    or s.n_expressing_half not between 0 and s.n_expressing
    or s.count < s.n_expressing
    or s.count_half not between 0 and s.count
    or s.sum_log1p < 0 or not isfinite(s.sum_log1p) or not isfinite(s.sum_log1p_square)
    or s.sum_log1p_half not between 0 and s.sum_log1p
    or s.sum_log1p_square_half not between 0 and s.sum_log1p_square
    or s.sum_log1p ^ 2 > s.n_expressing * s.sum_log1p_square * (1 + 1e-6) + 1e-6
