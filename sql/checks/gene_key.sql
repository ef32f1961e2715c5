-- Every measured gene has one index, counted from 0, and one id.
select gene_index, gene_id
from release.gene
qualify gene_index is distinct from row_number() over (order by gene_index) - 1
    or gene_id is null
    or count(*) over (partition by gene_id) > 1
