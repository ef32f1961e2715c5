-- Cells that express each gene in some conditions of one dataset.
select condition_id, gene_id, n_expressing
from statistics
where dataset_id = $dataset_id and condition_id in (select unnest($conditions)) and n_expressing is not null
