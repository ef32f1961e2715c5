-- The perturbations of the snapshot, those of most datasets first.
select perturbation, perturbation_kind, count(distinct dataset_id) as n_datasets,
    count(distinct context_id) as n_contexts, count(*) as n_conditions, sum(q.is_responder::int)::bigint as n_responders
from condition as c
left join quality as q using (dataset_id, condition_id)
where not c.is_control
group by all
order by n_datasets desc, n_conditions desc, perturbation, perturbation_kind
