"""Options that several kinds of features, and several sections of a feature spec, have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticKnownError

from featurestore.contract import EFFECT_KINDS


def _known_effect_kind(value: str) -> str:
    if value not in EFFECT_KINDS:
        raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, EFFECT_KINDS))})
    return value


def _gene_selection(value: object) -> object:
    named = isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)
    k = value.get("most_variable") if isinstance(value, dict) and len(value) == 1 else None
    variable = isinstance(k, int) and not isinstance(k, bool) and k > 0
    if value not in ("measured", "shared") and not named and not variable:
        raise ValueError('expected "measured", "shared", { most_variable = 500 }, or a list of gene ids or symbols')
    return value


EffectKind = Annotated[str, AfterValidator(_known_effect_kind)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Condition = Annotated[str, Field(min_length=1)]
Genes = Annotated[Literal["measured", "shared"] | list[str] | dict[str, int], PlainValidator(_gene_selection)]
Components = Annotated[int, Field(ge=1)]
Combination = Literal["exact", "sum"]
Of = Literal["perturbation", "both"]
"""Whom a feature describes: what is perturbed, or that and every measured gene."""
Reduce = Literal["mean", "weighted", "max_cells", "nearest_dose"]
Question = Literal["changed", "direction"]
PHENOTYPE = "phenotype"
"""What stands for the kind of effect where a scalar readout is looked at."""


class SpecSection(BaseModel):
    """A section of a feature spec: unknown keys, other types and empty texts are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_min_length=1)
