-- Scalar readouts of conditions, such as DepMap gene effect of a target gene in a cell line.
-- example: select avg(value) from phenotype where phenotype = 'gene_effect'
select p.dataset_id, c.condition_id, p.phenotype, p.value
from release.phenotype as p
join release.condition as c using (dataset_id, condition_index)
