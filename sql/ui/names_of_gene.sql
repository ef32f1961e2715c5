-- The names that one gene has had.
select label, kind::varchar as kind from reference.gene_label where gene_id = $gene_id order by kind, label
