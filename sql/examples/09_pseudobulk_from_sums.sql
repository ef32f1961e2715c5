-- Means and standard deviations from the additive sums: the pseudobulk of every condition, without touching a cell.
select
    s.dataset_id, s.condition_id, g.gene_symbol, c.n_cells,
    round(s.sum_log1p / c.n_cells, 4) as mean_log1p,
    round(sqrt(greatest(s.sum_log1p_square - s.sum_log1p ** 2 / c.n_cells, 0) / nullif(c.n_cells - 1, 0)), 4) as sd_log1p,
    round(s.n_expressing / c.n_cells, 3) as share_expressing
from statistics as s
join condition as c using (dataset_id, condition_id)
join gene as g using (gene_id)
where c.is_control
order by s.sum_log1p / c.n_cells desc, s.dataset_id, s.condition_id, g.gene_id
limit 10
