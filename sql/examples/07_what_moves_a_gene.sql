-- Which perturbations move one gene most? Here the gene that most conditions change; put any symbol instead.
with chosen as (
    select gene_id
    from signature
    where q_value < 0.05
    group by gene_id
    order by count(*) desc, gene_id
    limit 1
)
select c.perturbation, c.context_label, g.gene_symbol, round(g.effect, 2) as effect, round(g.z, 1) as z
from signature as g
join chosen using (gene_id)
join condition as c using (dataset_id, condition_id)
where g.q_value < 0.05 and not c.is_control
order by abs(g.z) desc, c.dataset_id, c.condition_id
limit 10
