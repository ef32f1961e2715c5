#!/bin/sh
# Finding: de_quack writes a gene's result also for the gene that used to have its name: an unchanged gene is significant.
# Tools: de_quack 2.0.2 with the gene table it brings (DuckDB 1.5.5; with DuckDB 2.0.1 its queries raise an error)
# Seen: ingest joins a table by symbol with every gene whose approved symbol, or any of whose former symbols, it is, and
#   an approved symbol does not win. Each match becomes a row, named by the gene that was matched. Neither ingest nor a
#   query says so. Given Ensembl identifiers too, the rows have the right gene, but twice.
# Output: five results, eight rows. ERF is down (log2fc -3, padj 1e-18) and ETF1 is not (0.1, 0.9), but ETF1 was once called
#   ERF, so it has both results and is among the significant genes; so has GABPB1 that of GABPB2. GABPAP1, which was not
#   measured, has one. Of the table's 45,019 symbols 229 were another gene's: 227 genes get a result that is not theirs.
# Guess: normalising symbols leaves the approved ones alone, and as many results come out as went in.
# Means: hits that are none, in every experiment again, so they look reproducible; a first row of get_gene may be another
#   gene's. Ingest Ensembl identifiers without symbols, or compare the number of rows.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q de-quack==2.0.2 duckdb==1.5.5 polars==2.1.0 pyarrow==26.0.1 pandas==2.3.3 numpy==2.4.6
cat > "$work/check.py" <<'PYTHON'
import logging
import sys
from pathlib import Path

import pandas as pd
import polars as pl
from de_quack import DeQuackling

logging.getLogger("de_quack").setLevel(logging.ERROR)
folder = Path(sys.argv[1])
results = pd.DataFrame(
    {
        "symbol": ["ERF", "ETF1", "GABPB1", "GABPB2", "STAT1"],
        "log2FoldChange": [-3.0, 0.1, 0.2, 2.5, 4.0],
        "pvalue": [1e-20, 0.8, 0.7, 1e-9, 1e-30],
        "padj": [1e-18, 0.9, 0.9, 1e-7, 1e-28],
        "baseMean": [200.0, 500.0, 300.0, 150.0, 900.0],
    }
)

with DeQuackling(str(folder / "few.duckdb")) as store:
    store.initialize_gene_table("human")
    store.ingest(results, metadata={"experiment_name": "by symbol"}, species="human")
    stored = store.get_experiment(experiment_id=1).df()
    by_symbol = stored.select("gene_symbol", "log2fc", "padj").sort("gene_symbol", "padj")
    significant = store.get_significant_genes(log2fc=1, padj=0.05, logCPM=1).df()["gene_symbol"].sort().to_list()
    table = pl.from_pandas(store.conn.execute("select symbol, ensembl_id, prev_symbol from genes").df())

    identifiers = dict(table.select("symbol", "ensembl_id").iter_rows())
    both = results.assign(ensembl_id=[identifiers[symbol] for symbol in results["symbol"]])
    store.ingest(both, metadata={"experiment_name": "by both"}, species="human")
    by_both = store.get_experiment(experiment_id=2).df().select("gene_symbol", "log2fc").sort("gene_symbol", "log2fc")

    alone = both.drop(columns="symbol")
    store.ingest(alone, metadata={"experiment_name": "by identifier"}, species="human")
    by_identifier = store.get_experiment(experiment_id=3).df().select("gene_symbol", "log2fc").sort("gene_symbol")
print("ingested:", results.to_string(index=False), "by symbol:", by_symbol, f"significant: {significant}", sep="\n")
print(f"with identifiers too: {by_both.rows()}\nwith identifiers alone: {by_identifier.rows()}")

former = table.explode("prev_symbol").filter(pl.col("prev_symbol") != pl.col("symbol"))
reused = table.filter(pl.col("symbol").is_in(former["prev_symbol"].to_list()))["symbol"].unique().sort().to_list()
numbered = pd.DataFrame(
    {"symbol": reused, "log2fc": [float(i) for i in range(len(reused))], "pvalue": 0.5, "padj": 0.5}
)
with DeQuackling(str(folder / "reused.duckdb")) as store:
    store.initialize_gene_table("human")
    store.ingest(numbered, metadata={"experiment_name": "reused"}, species="human")
    rows = store.get_experiment(experiment_id=1).df().select("gene_symbol", "log2fc")
own = pl.from_pandas(numbered[["symbol", "log2fc"]]).rename({"log2fc": "own"})
joined = rows.join(own, left_on="gene_symbol", right_on="symbol", how="left")
others = joined.filter(pl.col("own").is_null() | (pl.col("log2fc") != pl.col("own")))
print(f"{len(reused)} of {table.height:,} approved symbols were another gene's: {rows.height} rows", end=", ")
print(f"{others['gene_symbol'].n_unique()} genes with a result of another one")

assert by_symbol.filter(pl.col("gene_symbol") == "ETF1")["log2fc"].to_list() == [-3.0, 0.1]
assert by_symbol.filter(pl.col("gene_symbol") == "GABPB1")["log2fc"].to_list() == [2.5, 0.2]
assert by_symbol.filter(pl.col("gene_symbol") == "GABPAP1")["log2fc"].to_list() == [0.2]
assert by_symbol.height == 8
assert significant == ["ERF", "ETF1", "GABPB1", "GABPB2", "STAT1"]
assert by_both.unique().height == 5
assert by_both.height == 8
assert by_identifier.rows() == list(zip(results["symbol"], results["log2FoldChange"]))
assert len(reused) > 150
assert rows.height > len(reused) + 150
assert others["gene_symbol"].n_unique() > 150
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
