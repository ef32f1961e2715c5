-- Every compound of the snapshot; of several sources the fullest record wins.
-- example: select name, moa from compound where list_contains(targets, 'HDAC1')
select distinct on (compound_id) compound_id, name, smiles, pubchem_cid, chembl_id, broad_id, moa, targets
from release.compound
order by compound_id, (smiles is null)::int + (pubchem_cid is null)::int + (moa is null)::int, dataset_id
