"""The feature spec: which conditions to predict, and which other experiments to predict them from.

::

    name = "u87_from_other_lines"
    snapshot = 3                          # optional: pin

    [target]
    dataset = "mcfaline_2023"
    where = "context_label = 'U87MG'"     # any column of condition, quality, dataset or context
    effect_kind = "delta_log1p"

    [[feature]]
    kind = "signature"                    # the same perturbation in other experiments
    datasets = ["mcfaline_2023"]
    where = "context_label <> 'U87MG'"
    components = 20                       # principal components per source; absent: the genes themselves

    [[feature]]
    kind = "embedding"                    # every kind and its options: featurestore.features.kinds
    file = "geneformer.parquet"

    [split]
    by = "perturbation_id"
    folds = 5
    seed = 0

    [licence]
    forbid = ["non-commercial"]           # refuse to build from such sources

    [[allow]]                             # overrule the guard for one pair of experiments
    target = "mcfaline_2023:CVCL_0022"
    source = "replogle_2022:CVCL_0004"
    reason = "..."
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import Field, ValidationError, model_validator

from featurestore.errors import SpecError, did_you_mean
from featurestore.features.kinds import KINDS, PAIR_KINDS, Feature, embeddings
from featurestore.features.kinds.embedding import EmbeddingFeature
from featurestore.features.kinds.options import Slug, SpecSection
from featurestore.features.sections import Allow, Licence, Split, Target
from featurestore.spec_faults import spec_error, spec_faults
from featurestore.spec_text import spec_content, spec_text


class FeatureSpec(SpecSection):
    """A feature matrix, described.

    Parameters
    ----------
    name
        Name of the matrix.
    snapshot
        Snapshot to build from, whatever the latest is.
    target, feature, split, allow, licence
        The sections of the file.
    """

    name: Slug = "features"
    snapshot: Annotated[int, Field(ge=1)] | None = None
    target: Target
    feature: Annotated[list[Feature], Field(min_length=1)]
    split: Split = Split()
    allow: list[Allow] = Field(default_factory=list)
    licence: Licence = Field(default_factory=Licence)

    @model_validator(mode="after")
    def _features_suit_the_rows(self) -> Self:
        faults = list(_pair_faults(self) if self.target.unit == "pair" else _condition_faults(self))
        if faults:
            raise ValueError("\n            ".join(faults))
        return self

    @property
    def embeddings(self) -> list[EmbeddingFeature]:
        """The features that are read from files."""
        return embeddings(self.feature)

    def with_files(self, place: Callable[[EmbeddingFeature], Path]) -> FeatureSpec:
        """Return the same spec with every embedding read from another place."""
        moved = {id(each): each.model_copy(update={"file": str(place(each))}) for each in self.embeddings}
        return self.model_copy(update={"feature": [moved.get(id(feature), feature) for feature in self.feature]})


def _pair_faults(spec: FeatureSpec) -> Iterable[str]:
    if spec.split.column is not None and spec.split.by != "perturbation_id":
        yield "split: give either 'column' or 'by'"
    for i, feature in enumerate(spec.feature, start=1):
        options = feature.pair_options
        if not options:
            yield f"feature {i}.kind: for pairs, one of {', '.join(PAIR_KINDS)}; got '{feature.kind}'"
            continue
        given = {name for name, field in type(feature).model_fields.items() if getattr(feature, name) != field.default}
        if feature.is_of_both:
            yield f"feature {i}.of: for pairs, 'perturbation' or 'gene' (two features, each with a name); got 'both'"
        for name in sorted(given - options - {"kind"}):
            yield f"feature {i}: '{name}' has no meaning for pairs; known: {', '.join(sorted(options))}"


def _condition_faults(spec: FeatureSpec) -> Iterable[str]:
    if spec.split.column is not None:
        yield "split: 'column' is for pairs: set unit = 'pair' under [target]"
    for i, feature in enumerate(spec.feature, start=1):
        if feature.is_of_pairs_alone:
            yield f"feature {i}.kind: '{feature.kind}' is for pairs: set unit = 'pair' under [target]"
        elif feature.given_for_pairs:
            yield f"feature {i}: {feature.given_for_pairs} is for pairs: set unit = 'pair' under [target]"


EXPLAINED = "correct these; the kinds of features and their options: python -m pydoc featurestore.features.kinds"

SpecLike: TypeAlias = FeatureSpec | Mapping[str, Any] | str | Path
"""A feature spec, its sections as a dictionary, the path of its TOML file, or the name of one that is shipped."""


def shipped_specs() -> dict[str, Path]:
    """Name the feature specs that come with featurestore."""
    return {path.stem: path for path in sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))}


def read_spec(spec: SpecLike) -> FeatureSpec:
    """Read a feature spec from a TOML file, by the name of one that comes with featurestore, or from a dictionary.

    A spec that is already one is returned as it is; files that a dictionary names are looked for in the working folder.

    Raises
    ------
    SpecError
        The file cannot be read, is not TOML, or is wrong; every fault is listed.
    """
    if isinstance(spec, FeatureSpec):
        return spec
    if isinstance(spec, Mapping):
        return spec_of(dict(spec), "the dictionary")
    path = Path(spec)
    if not path.exists() and path.name == str(path):
        path = shipped_specs().get(path.name, path)
    try:
        text = spec_text(path)
    except OSError as error:
        files = sorted(file.name for file in path.parent.glob("*.toml"))
        near = did_you_mean(path.name, files if path.suffix and files else [*shipped_specs(), *files])
        raise SpecError(
            "The feature spec cannot be read.", where=str(path), got=error.strerror or str(error), do=near
        ) from None
    return parse_spec(text, where=str(path), folder=path.parent)


def parse_spec(text: str, where: str = "the feature spec", folder: Path | None = None) -> FeatureSpec:
    """Parse a feature spec from TOML text; relative paths of files start at ``folder``.

    Raises
    ------
    SpecError
        The text is not TOML, or is wrong; every fault is listed.
    """
    return spec_of(spec_content(text, where), where, folder)


def spec_of(content: dict[str, Any], where: str = "the feature spec", folder: Path | None = None) -> FeatureSpec:
    """Make a feature spec of plain values, such as those of a manifest.

    Raises
    ------
    SpecError
        It is wrong; every fault is listed.
    """
    try:
        spec = FeatureSpec.model_validate(content)
    except ValidationError as error:
        is_other = "target" not in content and {"dataset", "condition"} <= set(content)
        do = "this is a spec of a dataset: featurestore ingest SPEC.toml" if is_other else EXPLAINED
        raise spec_error(spec_faults(error, FeatureSpec, {"feature": KINDS}), where, do) from None
    spec = spec if folder is None else spec.with_files(lambda feature: folder / feature.file)
    if faults := list(_file_faults(spec)):
        raise spec_error(faults, where)
    return spec


def _file_faults(spec: FeatureSpec) -> Iterable[str]:
    """Say where a file has the name of another, or the terms that it does not have elsewhere: files go by name."""
    known: dict[str, tuple[int, Path, str | None]] = {}
    places = {id(feature): i for i, feature in enumerate(spec.feature, start=1)}
    for feature in spec.embeddings:
        i = places[id(feature)]
        path = Path(feature.file).resolve()
        name = Path(feature.file).name
        first, other, licence = known.setdefault(name, (i, path, feature.licence))
        if path != other:
            yield f"feature {i}.file: feature {first} has another file named '{name}': rename one of them"
        elif feature.licence != licence:
            terms = f"{licence or 'unknown'} in feature {first}, {feature.licence or 'unknown'} here"
            yield f"feature {i}.licence: '{name}' has two licences: {terms}"
