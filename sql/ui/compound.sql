-- What is known of one compound.
select * from compound where compound_id = $compound_id
