-- Every row of a table belongs to a condition of the release.
select used.in_table, used.condition_index
from (
    select distinct 'statistics' as in_table, condition_index from release.statistics
    union all
    select distinct 'control_statistics', condition_index from release.control_statistics
    union all
    select distinct 'matched_statistics', condition_index from release.matched_statistics
    union all
    select distinct 'null_condition', unnest(controls) from release.null_condition
    union all
    select distinct 'condition_replicate', condition_index from release.condition_replicate
    union all
    select distinct 'replicate_statistics', condition_index from release.replicate_statistics
    union all
    select distinct 'condition_batch', condition_index from release.condition_batch
    union all
    select distinct 'signature', condition_index from release.signature
    union all
    select distinct 'phenotype', condition_index from release.phenotype
    union all
    select distinct 'quality', condition_index from release.quality
) as used
anti join release.condition using (condition_index)
