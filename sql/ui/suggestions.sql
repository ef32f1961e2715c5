-- Which names are near to words that nothing is called? Those of fewest letters that are wrong, missing or swapped.
with wanted as (select lower(trim($words)) as words),
names as (
    select 'gene' as entity, gene_id as id, gene_symbol as label from reference.gene
    union
    select 'perturbation', perturbation_id, perturbation from condition where not is_control and compound_id is null
    union
    select 'compound', c.perturbation_id, d.name from compound as d join condition as c using (compound_id)
    union
    select 'context', context_id, coalesce(k.name, c.context_label)
    from condition as c left join context as k using (context_id)
    union
    select 'dataset', dataset_id, dataset_id from dataset
),
near as (
    select entity, id, label, damerau_levenshtein(lower(label), words) as n_wrong
    from names, wanted
    where label is not null and abs(length(label) - length(words)) <= 3
)
select entity, id, label
from near, wanted
where n_wrong <= greatest(1, length(words) // 3)
qualify row_number() over (partition by entity, label order by id) = 1
order by
    n_wrong, list_position(['perturbation', 'compound', 'gene', 'context', 'dataset'], entity), label
limit 6
