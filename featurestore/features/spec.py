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

    [split]
    by = "perturbation_id"
    folds = 5
    seed = 0
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from featurestore.contract import EFFECT_KINDS
from featurestore.errors import SpecError, did_you_mean


def _known_effect_kind(value: str) -> str:
    if value not in EFFECT_KINDS:
        raise ValueError(did_you_mean(value, EFFECT_KINDS))
    return value


def _gene_selection(value: object) -> object:
    named = isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)
    if value != "measured" and not named:
        raise ValueError('either "measured" or a list of gene ids or symbols')
    return value


EffectKind = Annotated[str, AfterValidator(_known_effect_kind)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Condition = Annotated[str, Field(min_length=1)]
Genes = Annotated[Literal["measured"] | list[str], PlainValidator(_gene_selection)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Target(_Section):
    """The conditions to predict: the rows of the matrix.

    Parameters
    ----------
    dataset
        Their dataset.
    where
        SQL condition over the columns of condition, quality, dataset and context; controls are never rows.
    effect_kind
        The measured effect to predict.
    unit
        What a row is.
    """

    dataset: str
    where: Condition | None = None
    effect_kind: EffectKind = "delta_log1p"
    unit: Literal["condition"] = "condition"


class SignatureFeature(_Section):
    """The effect of the same perturbation in other experiments, one block of columns per dataset and context.

    Parameters
    ----------
    name
        First part of the column names; the kind by default. Features that look in the same dataset and context need
        names of their own.
    datasets, where
        Which conditions to look in: datasets, a SQL condition as in :class:`Target`, or both.
    effect_kind
        The effect to use; the target's by default, so kinds mix only when asked.
    components
        Principal components per source; absent, every gene is a column.
    genes
        Every measured gene, or the ids or symbols of some.
    distinct
        Datasets known to hold other cells than the target's, although their signatures are nearly identical to it.
    """

    kind: Literal["signature"]
    name: Slug | None = None
    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    where: Condition | None = None
    effect_kind: EffectKind | None = None
    components: Annotated[int, Field(ge=1)] | None = None
    genes: Genes = "measured"
    distinct: list[str] = []

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Self:
        if self.datasets is None and self.where is None:
            raise ValueError("say where to look: give 'datasets', 'where' or both")
        return self

    @property
    def block(self) -> str:
        """First part of the column names."""
        return self.name or self.kind


class Split(_Section):
    """How rows are held out: whole groups, so that no perturbation is both learnt from and predicted.

    Parameters
    ----------
    by
        Column whose values stay together. With ``perturbation_id``, perturbations that share a target gene stay
        together too: the combination ``A+B`` with ``A`` and with ``B``.
    folds
        Number of folds.
    seed
        Seed of the assignment.
    """

    by: Literal["perturbation_id", "condition_id", "context_id", "cluster"] = "perturbation_id"
    folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0


class FeatureSpec(_Section):
    """A feature matrix, described.

    Parameters
    ----------
    name
        Name of the matrix.
    snapshot
        Snapshot to build from, whatever the latest is.
    target, feature, split
        The sections of the file.
    """

    name: Slug = "features"
    snapshot: Annotated[int, Field(ge=1)] | None = None
    target: Target
    feature: Annotated[list[SignatureFeature], Field(min_length=1)]
    split: Split = Split()


_SECTIONS: dict[str, type[_Section]] = {
    "": FeatureSpec,
    "target": Target,
    "feature": SignatureFeature,
    "split": Split,
}


def read_spec(source: FeatureSpec | str | Path) -> FeatureSpec:
    """Read a feature spec from a TOML file; a spec that is already one is returned as it is.

    Raises
    ------
    SpecError
        The file cannot be read, is not TOML, or is wrong; every fault is listed.
    """
    if isinstance(source, FeatureSpec):
        return source
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SpecError("The feature spec cannot be read.", where=str(path), got=str(reason)) from None
    return parse_spec(text, where=str(path))


def parse_spec(text: str, where: str = "the feature spec") -> FeatureSpec:
    """Parse a feature spec from TOML text.

    Raises
    ------
    SpecError
        The text is not TOML, or is wrong; every fault is listed.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError("The feature spec is not TOML.", where=where, got=str(error)) from None
    try:
        return FeatureSpec.model_validate(content)
    except ValidationError as error:
        faults = [_fault(fault["loc"], fault["type"], fault["msg"], fault["input"]) for fault in error.errors()]
        raise spec_error(faults, where) from None


def spec_error(faults: Iterable[str], where: str) -> SpecError:
    """Make one error of all the faults of a spec."""
    lines = list(faults)
    count = f"{len(lines)} faults" if len(lines) > 1 else "a fault"
    return SpecError(f"The feature spec has {count}.", where=where, got="\n            ".join(lines))


def _fault(location: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    section, *_ = location or ("",)
    place = _place(location[:-1] if kind == "extra_forbidden" else location)
    if kind == "extra_forbidden":
        known = _SECTIONS[str(section) if len(location) > 1 else ""].model_fields
        return f"{place}unknown key '{location[-1]}'; {did_you_mean(str(location[-1]), known)}"
    if kind == "missing":
        return f"{place}is missing"
    if kind == "list_type" and location == ("feature",):
        return "feature: each block of features starts with [[feature]]"
    text = message.removeprefix("Value error, ")
    if isinstance(value, str | int | float | bool) and kind != "too_short":
        text = f"{text}; got {value!r}"
    return f"{place}{text[0].lower()}{text[1:]}"


def _place(location: tuple[int | str, ...]) -> str:
    parts: list[str] = []
    for part in location:
        if isinstance(part, int):
            parts[-1] = f"{parts[-1]} {part + 1}"
        else:
            parts.append(str(part))
    return ", ".join(parts) + ": " if parts else ""
