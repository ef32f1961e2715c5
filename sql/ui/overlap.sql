-- Which perturbations do two datasets share, in which contexts, and how strong are they in each?
with each as (
    select
        c.dataset_id, c.perturbation_id, any_value(c.perturbation) as perturbation, count(*) as n_conditions, sum(c.n_cells)::bigint as n_cells,
        sum(q.is_responder::int)::bigint as n_responders,
        string_agg(distinct c.context_label, ', ' order by c.context_label) as contexts
    from condition as c
    left join quality as q using (dataset_id, condition_id)
    where not c.is_control and c.dataset_id in ($a, $b)
    group by c.dataset_id, c.perturbation_id
)
select
    a.perturbation_id, a.perturbation,
    a.contexts as contexts_a, b.contexts as contexts_b, a.n_conditions as n_conditions_a,
    b.n_conditions as n_conditions_b, a.n_cells as n_cells_a, b.n_cells as n_cells_b,
    a.n_responders as n_responders_a, b.n_responders as n_responders_b
from each as a
join each as b using (perturbation_id)
where a.dataset_id = $a and b.dataset_id = $b
order by perturbation
