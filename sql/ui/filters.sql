-- The kinds of perturbation and the contexts that conditions have.
select 'kind' as entity, perturbation_kind as id, perturbation_kind as label, count(*) as n_conditions
from condition
where not is_control
group by perturbation_kind
union all
select 'context', context_id, any_value(coalesce(name, context_label)), count(*)
from condition
left join context using (context_id)
where not is_control
group by context_id
order by entity, label
