-- Every gene of the reference; of several references in a snapshot the one used last wins.
-- example: select gene_id from gene where gene_symbol = 'JAK2'
select distinct on (gene_id) gene_id, gene_symbol, entrez_id, hgnc_id, biotype, chromosome
from reference.gene
order by gene_id, reference_rank
