-- The conditions of one dataset that respond, with what their signature is compared by and how far it repeats.
select c.condition_id, coalesce(i.canonical_id, c.perturbation_id) as perturbation_id, c.perturbation,
    c.target_gene_ids, q.replicate_correlation as r, d.assay = 'l1000' as is_of_wells,
    case when d.assay = 'l1000' then nullif(q.n_cells, 1) when q.test = 'replicates' then q.n_replicates else 2 end as n,
    c.experiment_id, c.perturbation_kind
from condition as c
join quality as q using (dataset_id, condition_id)
join dataset as d using (dataset_id)
left join compound_identity as i using (compound_id)
where c.dataset_id = $dataset_id and q.is_responder and not c.is_control
