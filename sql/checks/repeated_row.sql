-- No table has two rows of one key.
select 'statistics' as in_table, condition_index, gene_index::varchar as key, count(*) as rows
from release.statistics group by all having count(*) > 1
union all
select 'control_statistics', condition_index, concat_ws('/', batch, gene_index), count(*)
from release.control_statistics group by all having count(*) > 1
union all
select 'signature', condition_index, concat_ws('/', effect_kind, gene_index), count(*)
from release.signature group by all having count(*) > 1
union all
select 'condition_batch', condition_index, batch, count(*)
from release.condition_batch group by all having count(*) > 1
union all
select 'phenotype', condition_index, phenotype, count(*)
from release.phenotype group by all having count(*) > 1
union all
select 'quality', condition_index, null, count(*)
from release.quality group by all having count(*) > 1
