-- One gene of the reference that was used last, of those that know it.
select gene_id, gene_symbol, entrez_id, hgnc_id, biotype, chromosome
from reference.gene
where gene_id = $gene_id
order by reference_rank
limit 1
