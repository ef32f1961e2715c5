-- Which genes does a perturbation move most? Here the one that moves most of them; put any instead: perturbation = 'STAT1'.
with chosen as (
    select perturbation
    from condition
    join quality as q using (dataset_id, condition_id)
    where q.is_responder
    order by q.n_significant desc nulls last, q.effect_norm desc, dataset_id, condition_id
    limit 1
)
select perturbation, dataset_id, context_label, gene, round(effect, 2) as effect, effect_kind, round(log2fc, 2) as log2fc, q_value
from effects
join chosen using (perturbation)
where gene <> perturbation
order by q_value nulls last, abs(z) desc nulls last, abs(effect) desc, dataset_id, condition_id, gene_id
limit 10
