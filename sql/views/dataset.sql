-- One published matrix, at the release that the snapshot names.
-- example: select dataset_id, n_cells, n_conditions from dataset order by n_cells desc
select * from release.dataset
