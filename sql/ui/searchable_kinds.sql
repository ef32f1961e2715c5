-- Which kinds of perturbation and which contexts can a search be narrowed to?
select distinct perturbation_kind, context_label
from condition
where not is_control
order by all
