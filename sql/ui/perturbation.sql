-- Every condition of one perturbation, in every dataset and context, by the genes changed beyond noise; what lists few
-- genes, or none, comes last.
select
    c.dataset_id, c.condition_id, c.perturbation, c.perturbation_label, c.perturbation_kind, coalesce(k.name, c.context_label) as context_label, c.dose_um, c.time_h,
    c.cluster, c.n_cells, q.knockdown_ratio, q.n_significant, q.effect_norm, q.replicate_correlation, q.is_responder,
    q.reason, c.target_symbols, c.target_gene_ids, c.compound_id,
    c.context_id
from condition as c
left join quality as q using (dataset_id, condition_id)
left join context as k using (context_id)
join dataset as d using (dataset_id)
where c.perturbation_id = $perturbation_id and not c.is_control
order by
    d.n_genes = 0, d.assay = 'de_table', q.n_significant desc nulls last, q.effect_norm desc nulls last,
    q.tas desc nulls last, q.replicate_correlation desc nulls last, c.dataset_id, c.condition_id
