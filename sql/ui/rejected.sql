-- Rows of one dataset's files that no condition holds.
select label, reason, n_cells from rejected where dataset_id = $dataset_id order by n_cells desc, label
