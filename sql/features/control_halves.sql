-- The same of the controls of one dataset, batch by batch.
select s.condition_index, coalesce(s.batch, '') as batch, s.gene_index, s.sum_log1p, s.sum_log1p_half
from release.control_statistics as s
where s.dataset_id = $dataset_id
