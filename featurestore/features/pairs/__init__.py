"""Pairs of condition and gene as rows: what other experiments say of a call, recomputed for every part held out.

::

    [target]
    dataset = "perturbqa_k562_de"
    unit = "pair"
    effect_kind = "de_call"               # -1, 0, 1; a pair that the table does not list is unknown
    question = "changed"                  # or "direction": up or down, of those that changed

    [[feature]]
    kind = "neighbour"                    # the kinds for pairs and their options: featurestore.features.kinds
    datasets = ["perturbqa_rpe1_de", "perturbqa_jurkat_de"]

    [split]
    column = "published_split"            # the data's own; absent: folds by perturbation, as ever
"""
