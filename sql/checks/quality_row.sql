-- Every condition that is no control has one row of quality, unless it has a phenotype and no signature.
select condition_index, condition_id
from release.condition
anti join release.quality using (condition_index)
anti join release.phenotype using (condition_index)
where not is_control
