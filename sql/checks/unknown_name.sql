-- Compounds and contexts that conditions name are in their tables; genes are in the reference.
select 'compound' as in_table, compound_id as name, count(*) as rows
from release.condition anti join release.compound using (compound_id)
where compound_id is not null group by all
union all
select 'context', context_id, count(*)
from release.condition anti join release.context using (context_id)
where context_id is not null group by all
union all
select 'gene', gene_id, count(*)
from release.gene anti join reference.gene using (gene_id) group by all
union all
select 'gene', target.gene_id, count(*)
from (select unnest(target_gene_ids) as gene_id from release.condition) as target
anti join reference.gene using (gene_id) group by all
