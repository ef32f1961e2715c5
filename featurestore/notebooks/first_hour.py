# %% [markdown]
# # The first hour
#
# What perturbations did in other cell lines, asked, drawn, and put into a regression. Every number here is of the small
# simulated world that `featurestore demo` makes in the folder `demo`; put the place of your own warehouse instead.
# Jupyter opens this file as a notebook with jupytext; VS Code, PyCharm and Spyder do so by themselves.

# %%
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from sklearn.linear_model import Ridge

import featurestore as fs
from featurestore.lookup.pictures import agreement_histogram, heat_map, volcano

# %% What is in the warehouse?
store = fs.open("demo/warehouse")
store

# %% Which perturbations were done most widely?
store.perturbations().head()

# %% How many cells does each perturbation have?
store.frame(
    "select perturbation, context_label, n_cells from condition where not is_control order by n_cells desc"
).head()

# %% How many of them do anything, and did the knock-downs work? What is left of the target: 1 is all of it.
store.frame("""
    select dataset_id, context_label, count(*) as conditions, count(*) filter (is_responder) as responders,
        round(median(knockdown_ratio), 2) as target_left
    from condition join quality using (dataset_id, condition_id) group by all order by all
""")

# %% Are the p-values right? Share of tests below 0.05 where nothing happened.
store.frame("select dataset_id, kind, n_cells, n_null, share_p_05, is_calibrated from calibration order by all")

# %% The knock-down that changes most genes in K562 ...
strongest = store.frame("""
    select perturbation from condition join quality using (dataset_id, condition_id)
    where context_label = 'K562' and is_responder order by n_significant desc, condition_id limit 1
""")
name = str(strongest.item())
signature = store.signature(name, context="K562")
signature.select("gene", "effect", "log2fc", "z", "q_value").head(8)

# %% ... as a volcano
volcano(signature, f"{name} in K562")

# %% The same in every dataset that has it
conditions = store.signature(name).partition_by("dataset_id", "context_label", maintain_order=True)
labels = [f"{one['context_label'][0]}, {one['dataset_id'][0]}" for one in conditions]
heat_map(conditions, labels, name)

# %% In SQL, the view `effects` has all of it; p-values of LINCS are not published, so they are NULL and come last.
store.frame(
    "select context_label, gene, effect, effect_kind, log2fc, q_value from effects "
    "where perturbation = $name and gene <> perturbation order by q_value nulls last, abs(effect) desc limit 8",
    {"name": name},
)

# %% What has the same effect, in any dataset? And what the opposite: opposite=True.
store.search(name, top=5).select("perturbation", "context_label", "score", "p_value", "q_value")

# %% Do the two screens agree? Against other perturbations, and the ceiling that noise sets.
agreement = store.compare("replogle_demo_k562", "replogle_demo_rpe1")
agreement.summary

# %%
agreement_histogram(agreement)

# %% Which gene sets does it move? Yours are in a GMT file; these are what moves in RPE1, and genes at random.
elsewhere = store.signature(name, context="RPE1").sort("effect", descending=True)["gene"].drop_nulls().to_list()
chance = np.random.default_rng(0).permutation(elsewhere)
gene_sets = {"up_in_rpe1": elsewhere[:15], "down_in_rpe1": elsewhere[-15:], "chance": list(chance[:15])}
store.enrich(name, gene_sets, context="K562").table

# %% Features of other experiments for what is measured in K562; the guard proves that none of them holds the answer.
matrix = store.build(
    {
        "name": "k562_from_other_lines",
        "target": {"dataset": "replogle_demo_k562", "where": "not is_control"},
        "feature": [
            {"kind": "signature", "datasets": ["replogle_demo_rpe1"], "components": 8},
            {"kind": "signature", "datasets": ["lincs_demo"], "effect_kind": "moderated_z", "components": 8},
        ],
    }
)
matrix

# %% What do they add to a regression? Your own model beside the baselines, every perturbation held out once.
evaluation = fs.evaluate(matrix, {"mine": Ridge(alpha=30.0)})
evaluation.scores

# %%
print(*evaluation.verdict, sep="\n")

# %% Look before you believe a number: predicted against measured, of the perturbation above.
row = int((matrix.rows["perturbation_label"] == name).arg_max() or 0)
figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
axes.scatter(matrix.Y[row], evaluation.predicted["mine"][row], s=8)
axes.set(xlabel="measured effect", ylabel="predicted while held out", title=name)
figure

# %% To scanpy, pertpy and others: conditions x genes, with every test.
data = store.to_anndata("replogle_demo_k562")
data

# %% What did not map, and why? Nothing vanishes.
store.frame("select dataset_id, entity, status, count(*) as n from mapping group by all order by all").filter(
    ~pl.col("status").is_in(["approved", "current"])
)
