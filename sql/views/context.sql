-- Every cell line or type of the snapshot; of several sources the fullest record wins.
-- example: select * from context where tissue = 'blood'
select distinct on (context_id) context_id, name, depmap_id, tissue, disease
from release.context
order by context_id, (depmap_id is null)::int + (tissue is null)::int + (disease is null)::int, dataset_id
