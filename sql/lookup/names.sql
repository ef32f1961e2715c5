-- Names that may be looked up: perturbations, cell lines and types, datasets.
select distinct unnest([perturbation, context_label, dataset_id]) as name
from condition
where not is_control
order by 1
