-- How much each condition can be trusted, and whether it responded; controls have no row.
-- example: select dataset_id, count(*) filter (is_responder) from quality group by all
select
    q.dataset_id, c.condition_id,
    q.n_cells, q.knockdown_ratio, q.n_significant, q.effect_norm, q.energy_distance,
    q.replicate_correlation, q.tas, q.has_passed_qc, q.test, q.n_replicates, q.responder_q_value, q.is_responder, q.reason
from release.quality as q
join release.condition as c using (dataset_id, condition_index)
