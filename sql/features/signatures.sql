-- Signatures of one dataset, by condition and gene.
select c.condition_id, g.gene_id, s.effect, s.standard_error, s.z, s.p_value
from release.signature as s
join release.condition as c using (dataset_id, condition_index)
join release.gene as g on g.dataset_id = $dataset_id and g.gene_index = s.gene_index
where s.dataset_id = $dataset_id
