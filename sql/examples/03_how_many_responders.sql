-- How many perturbations did anything at all? Filter for responders before you trust a correlation.
select
    c.dataset_id,
    c.context_label,
    count(*) as conditions,
    sum(q.is_responder::int)::bigint as responders,
    round(median(q.replicate_correlation), 3) as median_replicate_correlation
from condition as c
join quality as q using (dataset_id, condition_id)
group by all
order by all
