-- Every condition has one index, counted from 0, and one id.
select condition_index, condition_id
from release.condition
qualify condition_index is distinct from row_number() over (order by condition_index) - 1
    or condition_id is null
    or count(*) over (partition by condition_id) > 1
