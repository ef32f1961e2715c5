-- Pseudobulks of one dataset: mean log1p(CP10k), sum of counts, and share of cells with any, by condition and gene.
select
    c.condition_id, g.gene_id,
    s.sum_log1p / c.n_cells as mean_log1p,
    s.count as counts,
    s.n_expressing / c.n_cells as share_expressing
from release.statistics as s
join release.condition as c using (dataset_id, condition_index)
join release.gene as g on g.dataset_id = $dataset_id and g.gene_index = s.gene_index
where s.dataset_id = $dataset_id
