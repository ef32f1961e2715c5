-- The sums of a control's batches add up to the control's sums.
select condition_index, gene_index, b.count as in_batches, s.count, b.sum_log1p as sum_in_batches, s.sum_log1p
from (
    select
        condition_index, gene_index,
        sum(count) as count, sum(sum_log1p) as sum_log1p, sum(sum_log1p_square) as sum_log1p_square,
        sum(n_expressing) as n_expressing
    from release.control_statistics group by all
) as b
full join (
    select s.* from release.statistics as s join release.condition as c using (condition_index) where c.is_control
) as s using (condition_index, gene_index)
where b.count is distinct from s.count
    or b.n_expressing is distinct from s.n_expressing
    or abs(b.sum_log1p - s.sum_log1p) > 1e-9 * (1 + s.sum_log1p)
    or abs(b.sum_log1p_square - s.sum_log1p_square) > 1e-9 * (1 + s.sum_log1p_square)
