-- How many conditions does each dataset have, by kind of perturbation and by cell line or type?
select dataset_id, perturbation_kind, coalesce(k.name, c.context_label) as line, context_id, count(*) as n_conditions
from condition as c
left join context as k using (context_id)
where not c.is_control
group by all
order by all
