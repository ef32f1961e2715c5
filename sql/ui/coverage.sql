-- Which perturbation was done in which dataset, and in how many conditions?
select
    c.perturbation_id,
    coalesce(
        nullif(any_value(array_to_string(c.target_symbols, ' + ')), ''), any_value(k.name),
        any_value(c.perturbation_label)
    ) as perturbation,
    c.dataset_id, count(*) as n_conditions
from condition as c
left join compound as k using (compound_id)
where not c.is_control
    and ($kind = '' or c.perturbation_kind = $kind)
    and ($context = '' or c.context_id = $context)
group by c.perturbation_id, c.dataset_id
order by c.perturbation_id, c.dataset_id
