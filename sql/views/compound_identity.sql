-- One id for a compound over all datasets, whatever each knows of it: join by canonical_id to meet a dataset that has
-- structures with one that has Broad, PubChem or ChEMBL ids, or names. Matching, folds and the guard go by it too.
-- example: select canonical_id, count(distinct dataset_id) as datasets, string_agg(distinct joined_by) as by from condition join compound_identity using (compound_id) group by all
select compound_id, canonical_id, joined_by
from release.compound_identity
