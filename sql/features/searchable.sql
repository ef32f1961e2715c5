-- Conditions of one dataset whose signatures can be searched, by the integer key of its release.
select
    r.condition_index, c.dataset_id, c.condition_id, c.perturbation_id, c.perturbation, c.perturbation_kind,
    c.target_gene_ids, c.target_symbols, c.compound_id, c.context_id, c.context_label, c.dose_um, c.time_h,
    q.is_responder
from condition as c
join release.condition as r on r.dataset_id = c.dataset_id and r.condition_id = c.condition_id
left join quality as q on q.dataset_id = c.dataset_id and q.condition_id = c.condition_id
where c.dataset_id = $dataset_id and r.dataset_id = $dataset_id and not c.is_control
order by r.condition_index
