-- The scalar readouts of one dataset.
select
    phenotype, count(*) as n_conditions, min(value) as smallest, median(value) as median, max(value) as largest
from phenotype
where dataset_id = $dataset_id
group by phenotype
order by phenotype
