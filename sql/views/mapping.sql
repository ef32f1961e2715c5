-- The ledger: what every published identifier became, and why.
-- example: select status, count(*) from mapping where entity = 'gene' group by all
select * exclude (release_id)
from release.mapping
