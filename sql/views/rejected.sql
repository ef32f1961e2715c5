-- Input rows that no condition holds, by label and reason.
-- example: select * from rejected order by n_cells desc
select * exclude (release_id)
from release.rejected
