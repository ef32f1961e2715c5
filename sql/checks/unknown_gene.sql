-- Every row of a table belongs to a measured gene of the release.
select used.in_table, used.gene_index
from (
    select distinct 'statistics' as in_table, gene_index from release.statistics
    union all
    select distinct 'control_statistics', gene_index from release.control_statistics
    union all
    select distinct 'matched_statistics', gene_index from release.matched_statistics
    union all
    select distinct 'replicate_statistics', gene_index from release.replicate_statistics
    union all
    select distinct 'null_statistics', gene_index from release.null_statistics
    union all
    select distinct 'signature', gene_index from release.signature
) as used
anti join release.gene using (gene_index)
