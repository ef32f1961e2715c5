"""What tests of features share: specs in few words, effects by name, files of vectors."""

import numpy as np
import polars as pl

from featurestore.features.spec import parse_spec

TARGET = '[target]\ndataset = "target"\n'
SPLIT = "\n[split]\nfolds = 3\n"


def spec_of(*features, target=TARGET, more=SPLIT):
    return parse_spec(target + "".join(f"[[feature]]\n{feature}\n" for feature in features) + more)


def external(kind, *lines):
    return "\n".join((f'kind = "{kind}"', 'datasets = ["external"]', *lines))


def effects_of(store, dataset, context):
    query = """
        select condition_id, gene_id, effect from signature join condition using (dataset_id, condition_id)
        where dataset_id = $d and context_label = $c
    """
    return {(c, g): e for c, g, e in store.frame(query, {"d": dataset, "c": context}).iter_rows()}


def write_embedding(folder, form, keys, vectors):
    path = folder / f"vectors.{form}"
    frame = pl.DataFrame({"gene": keys} | {f"v{i}": vectors[:, i] for i in range(vectors.shape[1])})
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "csv":
        frame.write_csv(path)
    else:
        np.savez(path, ids=np.array(keys), vectors=vectors)
    return path
