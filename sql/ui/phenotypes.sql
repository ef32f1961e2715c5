-- The scalar readouts of one perturbation, such as how a cell line grows without the gene.
select p.dataset_id, coalesce(k.name, c.context_label) as context_label, p.phenotype, p.value
from phenotype as p
join condition as c using (dataset_id, condition_id)
left join context as k using (context_id)
where c.perturbation_id = $perturbation_id
order by p.phenotype, p.value
