-- What is each gene called?
select gene_id, gene_symbol from gene
