-- Of which datasets a name is a control, or the beginning of one of its labels.
select distinct dataset_id from condition
where is_control and exists (
    select 1 from (select unnest(string_split(perturbation_label, ' | ')) as label)
    where starts_with(lower(label), lower($words))
)
order by 1
