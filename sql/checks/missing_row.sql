-- Where a condition has statistics, every measured gene has a row in them and in its signature.
select counted.in_table, counted.condition_index, counted.rows, measured.genes
from (
    select 'statistics' as in_table, condition_index, count(*) as rows from release.statistics group by all
    union all
    select 'signature', condition_index, count(*) from release.signature
    semi join release.statistics using (condition_index) group by all
) as counted, (select count(*) as genes from release.gene) as measured
where counted.rows <> measured.genes
