-- Sums of log1p(CP10k) of some conditions of one dataset, of all their cells and of the first half of them.
select s.condition_index, s.gene_index, s.sum_log1p, s.sum_log1p_half
from release.statistics as s
where s.dataset_id = $dataset_id
    and s.condition_index in (select unnest($condition_indices))
