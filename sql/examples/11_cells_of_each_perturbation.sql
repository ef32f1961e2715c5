-- How many cells does each perturbation have? Controls and every dataset, context, dose and time apart: conditions.
select dataset_id, perturbation, context_label, dose_um, time_h, n_cells
from condition
order by n_cells desc nulls last, dataset_id, condition_id
limit 10
