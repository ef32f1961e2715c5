-- Effective data points: conditions of each dataset, how many respond, and what is behind them.
select
    d.dataset_id, d.assay, count(*) as n_conditions,
    count(*) filter (q.is_responder) as n_responders,
    count(*) filter (q.is_responder is null) as n_unknown,
    count(distinct c.perturbation_id) as n_perturbations,
    count(distinct c.context_id) as n_contexts,
    sum(c.n_cells)::bigint as n_cells
from condition as c
join dataset as d using (dataset_id)
left join quality as q using (dataset_id, condition_id)
where not c.is_control
group by all
order by n_conditions desc, d.dataset_id
