-- How far the tests of one dataset hold where nothing happened, by kind and size of pretend conditions.
select
    kind, n_cells, test, n_null, n_tests, share_p_05, share_p_001, mean_significant, heaviness, is_calibrated,
    p_quantiles
from calibration
where dataset_id = $dataset_id and n_tests > 0
order by kind, n_cells
