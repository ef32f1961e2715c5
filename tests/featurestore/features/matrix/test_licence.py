"""The licence gate: what it refuses, and which words it takes."""

import numpy as np
import pytest
from feature_specs import SPLIT, TARGET, external, spec_of, write_embedding

from featurestore.errors import FeatureError
from featurestore.features.builder import build
from featurestore.features.plan import plan
from featurestore.features.spec import parse_spec


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ('forbid = ["non-commercial"]', ["external: CC-BY-NC-4.0", "target: unknown"]),
        ('allow = ["CC-BY-NC-4.0"]', ["noted: CC-BY-4.0 (as read by others), Apache-2.0 (tables)", "target: unknown"]),
        ('forbid = ["MIT"]', ["target: unknown"]),
        ('forbid = ["cc-by-4.0"]', ["noted: CC-BY-4.0 (as read by others), Apache-2.0 (tables)", "target: unknown"]),
        ('forbid = ["CC-BY"]', ["target: unknown"]),
        ("", []),
    ],
)
def test_licence__gate_names_what_it_refuses(rule, refused):
    from featurestore.features.matrix.licence import refuse_licences

    noted = "CC-BY-4.0 (as read by others), Apache-2.0 (tables)"
    terms = {"external": "CC-BY-NC-4.0", "noted": noted, "target": None}
    rules = parse_spec(TARGET + '[[feature]]\nkind = "context"\n[licence]\n' + rule).licence
    if not refused:
        refuse_licences(terms.items(), rules.forbid, rules.allow)
        return
    with pytest.raises(FeatureError, match="not allowed here") as caught:
        refuse_licences(terms.items(), rules.forbid, rules.allow)
    assert [line.strip() for line in caught.value.got.splitlines()] == refused


def test_licence__gate_looks_at_every_licence_of_a_file(two_datasets, tmp_path):
    write_embedding(tmp_path, "csv", ["S003", "S007"], np.array([[1.0, 5.0], [2.0, 7.0]]))
    more = f'{SPLIT}[licence]\nforbid = ["non-commercial", "GPL-3.0"]\n'
    spec = spec_of(f'kind = "embedding"\nfile = "{tmp_path}/vectors.csv"\nlicence = "CC-BY-NC-4.0"', more=more)
    second = spec.feature[0].model_copy(update={"name": "again", "licence": "MIT"})
    for features in ([spec.feature[0], second], [second, spec.feature[0]]):
        with pytest.raises(FeatureError, match="licences of 1 dataset are") as caught:
            build(two_datasets, spec.model_copy(update={"feature": features}))
        assert caught.value.got == "file:vectors.csv: CC-BY-NC-4.0"


def test_licence__gate_refuses_words_that_can_forbid_nothing(two_datasets):
    def rule(*words):
        return spec_of(external("signature"), more=f"{SPLIT}[licence]\nforbid = {list(words)}\n")

    for ask in (build, plan):
        with pytest.raises(FeatureError, match=r"No licence is called so") as caught:
            ask(two_datasets, rule("licence of externl", "CC-BY-NC-4.0", "noncommercial"))
        assert caught.value.got == "'licence of externl', 'noncommercial'"
        assert caught.value.do.split("\n")[0] == "did you mean 'licence of external' or 'licence of target'?"
        assert caught.value.do.split("\n")[1].strip() == "did you mean 'non-commercial'?"
    assert build(two_datasets, rule("CC-BY-NC-4.0", "Non-Commercial", "mit")).X.shape == (12, 50)
    with pytest.raises(FeatureError, match="No licence is called so"):
        two_datasets.to_anndata("target", forbid=["foo"])


def test_licence__gate_of_a_spec_refuses_the_matrix(two_datasets):
    spec = spec_of(external("signature"), more=SPLIT + '[licence]\nallow = ["licence of target"]\n')
    with pytest.raises(FeatureError, match="external: licence of external"):
        build(two_datasets, spec)
