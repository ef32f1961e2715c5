-- Conditions that are not controls, with all that a feature spec may ask: their quality, dataset and context.
-- example: select count(*) from selectable where assay = 'perturb_seq' and is_responder
select
    c.*,
    q.* exclude (dataset_id, condition_id, n_cells),
    d.release_id, d.source, d.assay, d.organism, d.value_kind, d.licence,
    x.depmap_id, x.tissue, x.disease
from condition as c
join dataset as d using (dataset_id)
left join quality as q using (dataset_id, condition_id)
left join context as x using (context_id)
where not c.is_control
