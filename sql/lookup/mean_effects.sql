-- Effects of some perturbations in one dataset, means over their conditions.
select k.perturbation_id, s.gene_id, avg(s.effect) as effect
from signature as s
join (select unnest($conditions) as condition_id, unnest($keys) as perturbation_id) as k using (condition_id)
where s.dataset_id = $dataset_id and s.effect_kind = $effect_kind and isfinite(s.effect)
group by all
