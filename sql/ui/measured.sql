-- Which datasets have signatures?
select dataset_id from dataset where n_genes > 0 order by dataset_id
