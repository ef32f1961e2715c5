-- What is in the warehouse, counted in effective data points: conditions, not cells.
select dataset_id, assay, value_kind, n_cells, n_conditions, n_genes, licence
from dataset
order by n_conditions desc, dataset_id
