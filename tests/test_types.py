"""A strict type checker finds no fault in the Python that the pages show."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

CHECKOUT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
PAGES = [CHECKOUT / "README.md", CHECKOUT / "featurestore" / "README.md", CHECKOUT / "ingest" / "README.md"]
TYPED = """
import featurestore as fs
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.pairs.pair_matrix import PairMatrix

store: fs.Store = fs.open("warehouse")
conditions: FeatureMatrix = store.build({"target": {"dataset": "mine"}, "feature": [{"kind": "signature"}]})
pairs: PairMatrix = store.build("perturbqa_k562_de", unit="pair")
store.build("features.toml").y  # error
store.search("JAK2", context="K562", score="csls", top=5, opposite=True)
store.search("JAK2", score="cosinus")  # error
store.enrich("JAK2", "sets.gmt", how="changed", dataset_id="mine", fewest=5)
store.enrich("JAK2", "sets.gmt", contexts="K562")  # error
store.frame("select 1", timeout=5.0, most_rows="many")  # error
fs.PerturbationSplit(5, unseen="context")
fs.PerturbationSplit(5, unseen="gene")  # error
"""


def test_python_of_the_pages__is_typed(tmp_path):
    blocks = [block for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    blocks.append((CHECKOUT / "featurestore" / "notebooks" / "first_hour.py").read_text(encoding="utf-8"))
    files = [tmp_path / f"block_{i}.py" for i in range(len(blocks) + 1)]
    for file, text in zip(files, [*blocks, TYPED], strict=True):
        file.write_text(text, encoding="utf-8")
    config, cache = CHECKOUT / "pyproject.toml", CHECKOUT / ".mypy_cache"
    told, failure, _ = api.run(
        ["--strict", "--config-file", str(config), "--cache-dir", str(cache), "--no-error-summary", *map(str, files)]
    )
    assert not failure
    expected = [f"{files[-1].name}:{i}" for i, line in enumerate(TYPED.splitlines(), 1) if line.endswith("# error")]
    faults = [line.partition(": error: ")[0] for line in told.splitlines() if ": error: " in line]
    assert [Path(fault).name for fault in faults] == expected, told
