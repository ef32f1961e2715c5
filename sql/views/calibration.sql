-- How far a dataset's tests hold where nothing happened: control cells dealt into pretend conditions, by their size.
-- example: select dataset_id, n_cells, n_null, share_p_05, share_p_001, is_calibrated from calibration order by all
select
    dataset_id, kind, n_cells, test, n_null, n_tests, share_p_05, share_p_001, heaviness, mean_significant, share_called,
    is_calibrated, n_significant_quantiles, effect_norm_quantiles, energy_distance_quantiles, p_quantiles
from release.calibration
