-- Which datasets are here, and how much is in each? Conditions, not cells, are the effective data points.
with done as (
    select dataset_id, list_sort(list(distinct perturbation_kind)) as perturbation_kinds,
        count(distinct context_id) as n_contexts, count(distinct perturbation_id) as n_perturbations
    from condition
    where not is_control
    group by dataset_id
),
responding as (
    select dataset_id, count(*) filter (is_responder) as n_responders, count(is_responder) as n_told
    from quality
    group by dataset_id
),
mapped as (
    select dataset_id, count(target_id) / count(*) as mapped_share
    from mapping
    where entity = 'gene'
    group by dataset_id
)
select
    d.dataset_id, d.title, d.assay, p.perturbation_kinds, d.n_cells, d.n_conditions,
    d.n_data_points, p.n_perturbations,
    if(r.n_told > 0, r.n_responders, null) as n_responders, p.n_contexts, d.n_genes, m.mapped_share,
    d.licence, d.release_id, d.ingested_at
from dataset as d
left join done as p using (dataset_id)
left join responding as r using (dataset_id)
left join mapped as m using (dataset_id)
order by d.dataset_id
