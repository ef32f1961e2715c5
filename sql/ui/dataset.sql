-- Everything that is known of one dataset.
select * from dataset where dataset_id = $dataset_id
