-- Cell lines and types of one name, whatever its capitals and signs.
select 'context' as entity, context_id as id, any_value(context_label) as label, context_id as what,
    true as is_exact
from condition
where regexp_replace(lower($words), '[^a-z0-9]', '', 'g')
    in (regexp_replace(lower(context_label), '[^a-z0-9]', '', 'g'), lower(context_id))
group by context_id
