-- Which condition shows best what can be asked? Of a perturbation of most datasets, the one that changes most genes.
with done as (
    select perturbation_id, count(distinct dataset_id) as n_datasets
    from condition
    where not is_control
    group by perturbation_id
)
select c.dataset_id, c.condition_id, c.perturbation_id, c.perturbation, c.target_gene_ids, done.n_datasets
from condition as c
join done using (perturbation_id)
join dataset as d using (dataset_id)
left join quality as q using (dataset_id, condition_id)
where not c.is_control and d.n_genes > 0
order by
    done.n_datasets desc, d.assay = 'de_table', q.n_significant desc nulls last, q.effect_norm desc nulls last,
    c.dataset_id, c.condition_id
limit 1
