-- Which perturbation was done in which dataset, and in how many conditions?
select
    c.perturbation_id,
    any_value(c.perturbation) as perturbation,
    c.dataset_id, count(*) as n_conditions
from condition as c
where not c.is_control
    and ($kind = '' or c.perturbation_kind = $kind)
    and ($context = '' or c.context_id = $context)
group by c.perturbation_id, c.dataset_id
order by c.perturbation_id, c.dataset_id
