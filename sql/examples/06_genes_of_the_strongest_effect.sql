-- What the responder of each dataset with the most genes changed does, the surest genes first, its own target left out.
with strongest as (
    select dataset_id, condition_id
    from quality
    where is_responder
    qualify row_number() over (
        partition by dataset_id order by n_significant desc nulls last, effect_norm desc, condition_id
    ) = 1
)
select s.dataset_id, s.condition_id, g.gene_symbol, round(g.effect, 2) as effect, g.effect_kind, round(g.z, 1) as z
from strongest as s
join signature as g using (dataset_id, condition_id)
join condition as c using (dataset_id, condition_id)
where not list_contains(c.target_gene_ids, g.gene_id)
qualify row_number() over (
    partition by s.dataset_id, s.condition_id order by abs(g.z) desc nulls last, abs(g.effect) desc, g.gene_id
) <= 5
order by s.dataset_id, abs(g.z) desc nulls last, abs(g.effect) desc, g.gene_id
