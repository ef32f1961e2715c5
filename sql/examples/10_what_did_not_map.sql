-- What became of every published name, and what was left out: nothing vanishes.
select dataset_id, entity, status, count(*) as identifiers, list(original order by original)[:3] as examples
from mapping
group by all
union all by name
select dataset_id, 'rows' as entity, 'rejected: ' || reason as status, sum(n_cells)::bigint as identifiers, list(label order by label)[:3] as examples
from rejected
group by all
order by all
