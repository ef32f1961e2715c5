-- One gene of the reference.
select * from gene where gene_id = $gene_id
