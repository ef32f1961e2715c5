-- Is the target itself silenced? Expression of the target over control, per dataset; below 0.3 is a good knock-down.
select
    dataset_id,
    count(knockdown_ratio) as targets_measured,
    round(median(knockdown_ratio), 3) as median_ratio,
    count(*) filter (knockdown_ratio < 0.3) as below_30_percent
from quality
group by dataset_id
order by dataset_id
