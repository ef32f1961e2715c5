-- The dataset's row says how many conditions, controls, genes and cells its tables hold.
select d.n_conditions, d.n_controls, d.n_genes, d.n_cells, c.conditions, c.controls, g.genes, c.cells
from release.dataset as d,
    (
        select
            count(*) filter (not is_control) as conditions,
            count(*) filter (is_control) as controls,
            sum(n_cells) as cells
        from release.condition
    ) as c,
    (select count(*) as genes from release.gene) as g
where d.n_conditions <> c.conditions or d.n_controls <> c.controls or d.n_genes <> g.genes
    or (d.n_cells is not null and d.n_cells is distinct from c.cells)
