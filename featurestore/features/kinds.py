"""The kinds of features that a spec can ask for, and the options of each.

====================  ======================================================================================
signature             the effect of the same perturbation in other experiments
response              how the target gene itself responds to the perturbations of other experiments
phenotype             scalar readouts of the same perturbation, such as gene effect across cell lines
context               expression of the controls of the row's own context
target_expression     expression of the perturbed gene in those controls
embedding             any table keyed by gene or compound: Geneformer, ESM2, GO, fingerprints
====================  ======================================================================================

Where a row is a pair of condition and gene (``unit = "pair"``):

====================  ======================================================================================
signature             the call of the same perturbation on that very gene in other experiments
reconstruction        that call in a low-rank reconstruction of all calls, external and training ones
neighbour             training calls on that gene, averaged over perturbations that behave alike elsewhere
strength              how much the perturbation does elsewhere, over all genes
base_rate             how often the gene is called among the training pairs
embedding             the vector of what is perturbed, or of the measured gene
====================  ======================================================================================
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from featurestore.contract import EFFECT_KINDS
from featurestore.errors import did_you_mean


def _known_effect_kind(value: str) -> str:
    if value not in EFFECT_KINDS:
        raise ValueError(did_you_mean(value, EFFECT_KINDS))
    return value


def _gene_selection(value: object) -> object:
    named = isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)
    k = value.get("most_variable") if isinstance(value, dict) and len(value) == 1 else None
    variable = isinstance(k, int) and not isinstance(k, bool) and k > 0
    if value not in ("measured", "shared") and not named and not variable:
        raise ValueError('"measured", "shared", { most_variable = 500 }, or a list of gene ids or symbols')
    return value


EffectKind = Annotated[str, AfterValidator(_known_effect_kind)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Condition = Annotated[str, Field(min_length=1)]
Genes = Annotated[Literal["measured", "shared"] | list[str] | dict[str, int], PlainValidator(_gene_selection)]
Components = Annotated[int, Field(ge=1)]
Combination = Literal["exact", "sum"]
Reduce = Literal["mean", "weighted", "max_cells", "nearest_dose"]
Question = Literal["changed", "direction"]


class Section(BaseModel):
    """A section of a feature spec: unknown keys and other types are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Feature(Section):
    """What every kind has: ``name``, the first part of its column names, by default its kind."""

    kind: str
    name: Slug | None = None

    @property
    def block(self) -> str:
        """First part of the column names."""
        return self.name or self.kind


class External(_Feature):
    """A kind that looks in other experiments.

    Parameters
    ----------
    datasets, where
        Which conditions to look in: datasets, a SQL condition over the columns of condition, quality, dataset and
        context, or both.
    responders_only
        Whether to look only in conditions whose effect is larger than noise.
    components
        Principal components per source, fitted on external rows only; absent, every feature is a column.
    """

    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    where: Condition | None = None
    responders_only: bool = False
    components: Components | None = None

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Self:
        if self.datasets is None and self.where is None:
            raise ValueError("say where to look: give 'datasets', 'where' or both")
        return self


class ExternalEffects(External):
    """A kind that looks at the effects of other experiments.

    Parameters
    ----------
    effect_kind
        The effect to use; the target's by default, so kinds mix only when asked.
    genes
        Every measured gene, those that the target measures too, the k most variable of the source, or named ones.
    shrinkage
        Cells at which an effect counts half: it is multiplied by ``n / (n + shrinkage)``. Unit: cells.
    shrink
        ``empirical_bayes`` shrinks effects by their standard errors, under a prior fitted to the source's conditions.
    questions
        Where rows are pairs: what to ask of the sources' calls, ``changed``, ``direction`` or both; the target's
        question by default. Effects of other kinds are taken as they are.
    """

    effect_kind: EffectKind | None = None
    genes: Genes = "measured"
    shrinkage: Annotated[float, Field(gt=0)] | None = None
    shrink: Literal["empirical_bayes"] | None = None
    questions: Annotated[list[Question], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _shrinks_once(self) -> Self:
        if self.shrinkage is not None and self.shrink is not None:
            raise ValueError("effects are shrunk once: give 'shrinkage' (by cells) or 'shrink' (by standard errors)")
        return self


class SignatureFeature(ExternalEffects):
    """The effect of the same perturbation in other experiments: one block per dataset and context, or their average.

    Parameters
    ----------
    combination
        Where a combination was not measured elsewhere: ``exact`` leaves it missing, ``sum`` adds up its parts.
    reduce
        What to make of several conditions of one perturbation: their mean, their mean weighted by cells, the one with
        most cells, or those at the dose (then the time) nearest to the row's.
    average
        Average over the sources, each once (``equal``) or by its cells (``cells``), in place of one block per source.
        The average of a row leaves out the row's own experiment, so the target's dataset may be among the sources.
    """

    kind: Literal["signature"]
    combination: Combination = "exact"
    reduce: Reduce = "mean"
    average: Literal["equal", "cells"] | None = None


class ResponseFeature(ExternalEffects):
    """How the row's target gene responds to the perturbations of other experiments: one column per condition.

    ``combination = "sum"`` adds up the responses of several targets; ``exact`` leaves combinations missing.
    """

    kind: Literal["response"]
    combination: Combination = "sum"


class PhenotypeFeature(External):
    """Scalar readouts of the same perturbation: one column per phenotype and context, one block per dataset.

    Parameters
    ----------
    phenotype
        Name of the readout; every one of the dataset by default.
    combination
        As of :class:`SignatureFeature`.
    """

    kind: Literal["phenotype"]
    phenotype: str | None = None
    combination: Combination = "exact"


class ContextFeature(_Feature):
    """Mean log1p(CP10k) of each gene over the controls of the row's own context; controls are no answer.

    ``genes`` is as of :class:`ExternalEffects`, most variable over the contexts; ``components`` are over contexts.
    """

    kind: Literal["context"]
    genes: Genes = "measured"
    components: Components | None = None


class TargetExpressionFeature(_Feature):
    """Expression of the row's target genes over the controls of its own context: mean, and share of cells with any."""

    kind: Literal["target_expression"]


class EmbeddingFeature(_Feature):
    """Vectors of genes or compounds from a file of Parquet, CSV or npz (no pickles).

    Parameters
    ----------
    file
        The file; a relative path starts at the spec's folder. Two files of one spec have two names.
    key
        Column, or array of an npz, that identifies the vectors: gene ids, symbols or numbers, compound ids or names.
        The first that holds text by default.
    licence
        Terms of the file, for the licence gate and the manifest.
    components
        Principal components, fitted on all vectors of the file; absent, every dimension is a column.
    combination
        ``sum`` adds up the vectors of several targets; ``exact`` leaves combinations missing.
    of
        Where rows are pairs: whose vector a pair gets, that of what is perturbed or that of the ``gene`` measured.
    """

    kind: Literal["embedding"]
    file: Annotated[str, Field(min_length=1)]
    key: str | None = None
    licence: str | None = None
    components: Components | None = None
    combination: Combination = "sum"
    of: Literal["perturbation", "gene"] = "perturbation"


class ReconstructionFeature(ExternalEffects):
    """A pair's value in a reconstruction of rank ``components`` of the matrix of perturbations and genes.

    The matrix holds the mean call over the sources and the training pairs, less the gene's mean; 0 where there is none.
    """

    kind: Literal["reconstruction"]
    components: Components = 10


class NeighbourFeature(ExternalEffects):
    """Training calls on a pair's gene, averaged over perturbations by how alike they behave in the sources.

    The weight is the squared cosine, where positive, of the first ``components`` principal directions of the sources,
    all sources and questions together. A second column is the neighbours' mean over all genes: a strength to expect.
    """

    kind: Literal["neighbour"]
    components: Components = 40


class StrengthFeature(ExternalEffects):
    """Per source and question, a perturbation's mean over genes, less each gene's; and its number of changed genes."""

    kind: Literal["strength"]


class BaseRateFeature(_Feature):
    """Log odds of a gene's being called among the training pairs."""

    kind: Literal["base_rate"]


Feature = Annotated[
    SignatureFeature
    | ResponseFeature
    | PhenotypeFeature
    | ContextFeature
    | TargetExpressionFeature
    | EmbeddingFeature
    | ReconstructionFeature
    | NeighbourFeature
    | StrengthFeature
    | BaseRateFeature,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[_Feature]] = {
    "signature": SignatureFeature,
    "response": ResponseFeature,
    "phenotype": PhenotypeFeature,
    "context": ContextFeature,
    "target_expression": TargetExpressionFeature,
    "embedding": EmbeddingFeature,
    "reconstruction": ReconstructionFeature,
    "neighbour": NeighbourFeature,
    "strength": StrengthFeature,
    "base_rate": BaseRateFeature,
}
_PAIR_OPTIONS = {"kind", "name", "datasets", "where", "responders_only", "effect_kind", "questions"}
PAIR_OPTIONS = {
    "signature": _PAIR_OPTIONS,
    "reconstruction": _PAIR_OPTIONS - {"questions"} | {"components"},
    "neighbour": _PAIR_OPTIONS | {"components"},
    "strength": _PAIR_OPTIONS,
    "base_rate": {"kind", "name"},
    "embedding": set(EmbeddingFeature.model_fields),
}
"""The kinds that a row which is a pair can have, and their options there."""
PAIR_ONLY = ("reconstruction", "neighbour", "strength", "base_rate")
