-- The data points: dataset x perturbation x context x dose x time x cluster.
-- example: select context_label, count(*) from condition where not is_control group by all
select * exclude (condition_index, release_id, perturbation), coalesce(perturbation, perturbation_label) as perturbation
from release.condition
