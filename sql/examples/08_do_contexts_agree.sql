-- Does a perturbation have the same effect in another context? Correlation of its two signatures over shared genes.
select
    a.dataset_id || ' / ' || a.context_label as here,
    b.dataset_id || ' / ' || b.context_label as there,
    a.perturbation,
    count(*) as genes,
    round(corr(x.effect, y.effect), 3) as correlation
from condition as a
join condition as b on a.target_gene_ids = b.target_gene_ids and a.experiment_id < b.experiment_id
join signature as x on x.dataset_id = a.dataset_id and x.condition_id = a.condition_id
join signature as y on y.dataset_id = b.dataset_id and y.condition_id = b.condition_id and y.gene_id = x.gene_id
where len(a.target_gene_ids) > 0 and not list_contains(a.target_gene_ids, x.gene_id)
group by all
order by correlation desc nulls last, perturbation, here, there
limit 10
