"""What is known of one name: a gene, a perturbation, a compound, a cell line or a dataset."""
