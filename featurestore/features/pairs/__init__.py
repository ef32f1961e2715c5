"""Pairs of condition and gene as rows: is the gene called changed, or up, by a perturbation that was not trained on?"""
