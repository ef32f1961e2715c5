-- Which perturbations were done in more than one experiment? These are what external features can be built from.
select
    target_symbols,
    count(distinct experiment_id) as experiments,
    list_sort(list(distinct context_label)) as contexts
from condition
where len(target_gene_ids) > 0
group by target_gene_ids, target_symbols
having count(distinct experiment_id) > 1
order by experiments desc, target_symbols
limit 20
