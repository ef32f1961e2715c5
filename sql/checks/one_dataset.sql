-- A release describes one dataset.
select count(*) as rows
from release.dataset
having count(*) <> 1
