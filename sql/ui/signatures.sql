-- What some conditions do, gene by gene, beside each other; each condition is 'dataset_id:condition_id'.
-- By the keys of the files, so that no more is read than these conditions; a list for each, the surest genes first.
with wanted as (
    select dataset_id, condition_index, dataset_id || ':' || condition_id as condition
    from release.condition
    where dataset_id || ':' || condition_id in (select unnest($conditions))
)
select
    w.condition,
    list(
        {gene: coalesce(g.gene_symbol, g.gene_id), gene_id: g.gene_id, effect: s.effect, effect_kind: s.effect_kind, z: s.z}
        order by abs(s.z) desc nulls last, abs(s.effect) desc, g.gene_id
    ) as genes
from release.signature as s
join wanted as w using (dataset_id, condition_index)
join release.gene as g using (dataset_id, gene_index)
group by w.condition
