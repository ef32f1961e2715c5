-- The datasets that measured one cell line or type, those of most conditions there first.
select dataset_id, count(*) as n_conditions, sum(q.is_responder::int)::bigint as n_responders,
    sum(c.n_cells)::bigint as n_cells
from condition as c
left join quality as q using (dataset_id, condition_id)
where c.context_id = $context_id and not c.is_control
group by dataset_id
order by n_conditions desc, dataset_id
