-- What is called so? Datasets, genes by any name they have had, perturbations, compounds and contexts.
with wanted as (select lower($words) as words),
named as (
    select l.gene_id, l.label, l.kind::varchar as kind
    from reference.gene_label as l, wanted
    where contains(lower(l.label), words)
    union all
    select gene_id, words, 'id' from reference.gene, wanted
    where words in (lower(gene_id), entrez_id, lower(hgnc_id))
),
genes as (
    select gene_id, any_value(gene_symbol) as gene_symbol
    from reference.gene
    where gene_id in (select gene_id from named)
    group by gene_id
),
exact as (select distinct gene_id from named, wanted where lower(label) = words),
drugs as (
    select c.*
    from compound as c, wanted
    where contains(lower(concat_ws(' ', c.name, c.moa, c.compound_id, c.chembl_id, c.broad_id)), words)
        or list_contains(list_transform(c.targets, lambda t: lower(t)), words)
),
perturbed as (
    select
        perturbation_id, any_value(array_to_string(target_symbols, ' + ')) as symbols,
        string_agg(distinct perturbation_label, ' | ' order by perturbation_label) as labels,
        any_value(compound_id) as compound_id, any_value(target_gene_ids) as target_gene_ids,
        -- Its own names, parts in any order; and every name of its only gene, where that is of no other gene.
        bool_or(
            lower(perturbation_label) = words
            or list_sort(string_split(lower(perturbation), '+')) = list_sort(string_split(replace(words, ' ', ''), '+'))
            or (select count(*) = 1 from exact) and target_gene_ids = (select list(gene_id) from exact)
        ) as is_called,
        count(*) as n_conditions, count(distinct dataset_id) as n_datasets
    from condition, wanted
    where not is_control and (
        contains(lower(perturbation_label), words) or lower(perturbation_id) = words
        or list_sort(string_split(lower(perturbation), '+')) = list_sort(string_split(replace(words, ' ', ''), '+'))
        or list_has_any(target_gene_ids, (select list(gene_id) from exact))
        or compound_id in (select compound_id from drugs)
    )
    group by perturbation_id
),
hits as (
    select 'dataset' as entity, dataset_id as id, dataset_id as label,
        concat_ws('; ', title, assay, source) as what, n_conditions, dataset_id as key
    from dataset, wanted
    where contains(lower(concat_ws(' ', dataset_id, title, assay, source, citation)), words)
    union all
    select 'gene', g.gene_id, coalesce(g.gene_symbol, g.gene_id),
        if(n.kind = 'id' or n.label = g.gene_symbol, g.gene_id, n.label || ': ' || replace(n.kind, '_', ' ') || ' name'),
        null, n.label
    from named as n join genes as g using (gene_id)
    union all
    select 'perturbation', perturbation_id, coalesce(nullif(symbols, ''), labels),
        labels || ' in ' || n_datasets || if(n_datasets = 1, ' dataset', ' datasets'), n_conditions,
        if(is_called, words, coalesce(nullif(symbols, ''), labels))
    from perturbed, wanted
    where compound_id is null or is_called or contains(lower(labels), words)
    union all
    select 'compound', p.perturbation_id, c.name,
        concat_ws('; ', c.moa, 'targets ' || array_to_string(c.targets, ', '), c.compound_id), p.n_conditions, c.name
    from drugs as c join perturbed as p using (compound_id)
    union all
    select 'context', context_id, coalesce(name, context_id),
        concat_ws('; ', context_id, depmap_id, tissue, disease), null, coalesce(name, context_id)
    from context, wanted
    where contains(lower(concat_ws(' ', context_id, name, depmap_id, tissue, disease)), words)
)
select entity, id, label, what, n_conditions, lower(key) = words as is_exact
from hits, wanted
qualify row_number() over (partition by entity, id order by lower(key) != words, length(key)) = 1
    and row_number() over (
        partition by entity order by lower(key) != words, not starts_with(lower(key), words), length(key), key
    ) <= 100
order by
    list_position(['dataset', 'gene', 'perturbation', 'compound', 'context'], entity),
    lower(key) != words, not starts_with(lower(key), words), length(key), key
