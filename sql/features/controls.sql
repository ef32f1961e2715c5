-- Expression of each gene over the control cells of each context of one dataset.
select
    c.context_id, g.gene_id,
    sum(s.sum_log1p) / sum(c.n_cells) as mean_log1p,
    sum(s.n_expressing) / sum(c.n_cells) as share_expressing
from release.statistics as s
join release.condition as c using (dataset_id, condition_index)
join release.gene as g on g.dataset_id = $dataset_id and g.gene_index = s.gene_index
where s.dataset_id = $dataset_id and c.is_control
group by all
order by all
