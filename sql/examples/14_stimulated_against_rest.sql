-- What does a perturbation do in one context that it does not in another: stimulated cells against resting ones, or two
-- lines? Both effects are against the controls of their own context. Name yours: a.context_label = 'stimulated'.
select
    a.perturbation, a.gene, a.context_label as here, b.context_label as there,
    round(a.effect, 2) as effect_here, round(b.effect, 2) as effect_there,
    round((a.effect - b.effect) / sqrt(a.standard_error ** 2 + b.standard_error ** 2), 1) as z_of_difference
from effects as a
join effects as b
    on a.perturbation = b.perturbation and a.gene_id = b.gene_id and a.effect_kind = b.effect_kind
    and a.context_label < b.context_label
where a.standard_error > 0 and b.standard_error > 0 and a.is_responder and b.is_responder
order by abs(a.effect - b.effect) / sqrt(a.standard_error ** 2 + b.standard_error ** 2) desc, a.perturbation, a.gene_id
limit 10
