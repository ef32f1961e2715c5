-- Which perturbations of a dataset have the same effect as one? Here as the one that moves most genes, by correlation of
-- the effects of two conditions, less the mean of the dataset's responders. similar('STAT1') searches all datasets.
with responder as (
    select dataset_id, condition_id, perturbation, q.n_significant, q.effect_norm
    from condition
    join quality as q using (dataset_id, condition_id)
    where q.is_responder and not is_control
),
chosen as (
    select dataset_id, condition_id, perturbation
    from responder
    order by n_significant desc nulls last, effect_norm desc, dataset_id, condition_id
    limit 1
),
centred as (
    select r.condition_id, r.perturbation, s.gene_id, s.effect - avg(s.effect) over (partition by s.gene_id) as effect
    from signature as s
    join responder as r using (dataset_id, condition_id)
    where s.dataset_id = (select dataset_id from chosen)
)
select b.perturbation, count(*) as genes, round(corr(a.effect, b.effect), 3) as correlation
from centred as a
join centred as b on a.gene_id = b.gene_id and a.condition_id <> b.condition_id
where a.condition_id = (select condition_id from chosen)
group by b.condition_id, b.perturbation
order by correlation desc nulls last, b.perturbation
limit 10
