"""The recipe hash: what changes it and what does not."""

from featurestore.features.matrix.manifest import recipe_hash


def test_recipe_hash__follows_what_decides_the_matrix_and_nothing_else(make_spec):
    releases = {"target": "r1", "external": "r1"}
    base = recipe_hash(make_spec(), releases)
    assert recipe_hash(make_spec(), dict(reversed(releases.items()))) == base
    assert recipe_hash(make_spec().model_copy(update={"name": "other", "snapshot": 3}), releases) == base
    assert recipe_hash(make_spec("components = 3"), releases) != base
    assert recipe_hash(make_spec(split="seed = 1"), releases) != base
    assert recipe_hash(make_spec(), releases | {"external": "r2"}) != base
