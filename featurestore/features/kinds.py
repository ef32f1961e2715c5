"""The kinds of features that a spec can ask for, and the options of each.

====================  ======================================================================================
signature             the effect of the same perturbation in other experiments
response              how the target gene itself responds to the perturbations of other experiments
neighbours            the effects of perturbations that other experiments found to be most alike
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
analogue              calls on that gene, here and elsewhere, of the few perturbations that behave most alike
strength              how much the perturbation does elsewhere, over all genes
base_rate             how often the gene is called among the training pairs
embedding             the vector of what is perturbed, or of the measured gene
====================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self, get_args

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
PHENOTYPE = "phenotype"
"""What stands for the kind of effect where a scalar readout is looked at."""


class SpecSection(BaseModel):
    """A section of a feature spec: unknown keys and other types are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_PAIR_OPTIONS = frozenset({"kind", "name", "datasets", "where", "responders_only", "effect_kind", "questions"})


class Kind(SpecSection):
    """What every kind has: ``name``, the first part of its column names, by default its kind."""

    pair_options: ClassVar[frozenset[str]] = frozenset()
    """Its options where a row is a pair; none where it is no kind of pairs."""
    is_of_pairs_alone: ClassVar[bool] = False
    looks_elsewhere: ClassVar[bool] = False
    """Whether it looks in other experiments of the warehouse."""
    is_of_own_context: ClassVar[bool] = False
    """Whether it describes the context of a row, and not what was done there."""

    kind: str
    name: Slug | None = None

    @property
    def block(self) -> str:
        """First part of the column names."""
        return self.name or self.kind

    @property
    def given_for_pairs(self) -> str:
        """The option that was given and that only pairs have; empty where none was."""
        return ""

    @property
    def shares_genes(self) -> bool:
        """Whether it takes the genes that the target measures too."""
        return False

    @property
    def is_of_genes(self) -> bool:
        """Whether it describes the measured genes, and not what is perturbed."""
        return False

    def with_components(self, components: int) -> Self:
        """Return the same with as many principal components, where it has any."""
        return self.model_copy(update={"components": components}) if "components" in type(self).model_fields else self


class External(Kind):
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

    looks_elsewhere = True
    is_by_context: ClassVar[bool] = True
    """Whether each context of a dataset is a source of its own."""
    is_same_perturbation: ClassVar[bool] = False
    """Whether it says what the same perturbation does elsewhere, gene by gene."""
    is_by_target_gene: ClassVar[bool] = False
    """Whether a row is matched with a gene that the source measured, and not with its conditions."""

    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    where: Condition | None = None
    responders_only: bool = False
    components: Components | None = None

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Self:
        if self.datasets is None and self.where is None:
            raise ValueError("say where to look: give 'datasets', 'where' or both")
        return self

    @property
    def leaves_own_out(self) -> bool:
        """Whether it is an average that leaves each row's own experiment out."""
        return False

    def effect_of(self, target: str) -> str:  # noqa: ARG002, a readout is none of the target's effects
        """Return which effect it looks at where the target's is given."""
        return PHENOTYPE

    def asks(self, question: Question) -> list[Question]:
        """Return what it asks of calls, by default the target's question."""
        return [question]


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

    @property
    def given_for_pairs(self) -> str:
        """``questions``, where they were given."""
        return "'questions'" if self.questions is not None else ""

    @property
    def shares_genes(self) -> bool:
        """Whether ``genes`` says so."""
        return self.genes == "shared"

    def effect_of(self, target: str) -> str:
        """Return the effect that it names, by default the target's."""
        return self.effect_kind or target

    def asks(self, question: Question) -> list[Question]:
        """Return its questions, each once, by default the target's."""
        return list(dict.fromkeys(self.questions or [question]))


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

    pair_options = _PAIR_OPTIONS
    is_same_perturbation = True

    kind: Literal["signature"]
    combination: Combination = "exact"
    reduce: Reduce = "mean"
    average: Literal["equal", "cells"] | None = None

    @property
    def leaves_own_out(self) -> bool:
        """Whether it is an average: those do."""
        return self.average is not None


class ResponseFeature(ExternalEffects):
    """How the row's target gene responds to the perturbations of other experiments: one column per condition.

    ``combination = "sum"`` adds up the responses of several targets; ``exact`` leaves combinations missing.
    """

    is_by_target_gene = True

    kind: Literal["response"]
    combination: Combination = "sum"


class NeighboursFeature(ExternalEffects):
    """The mean effect of the external perturbations that are most alike a row's: one block per dataset and context.

    How alike two perturbations are is the cosine of their external effects, less what all of a source share, averaged
    over the feature's sources that have both; so a source that lacks the row's perturbation has its neighbours' effects
    where another has it. What shares a target with the row is no neighbour.

    Parameters
    ----------
    neighbours
        How many, at most; each weighs as much as it is alike, and none that is unlike counts.
    combination
        As of :class:`SignatureFeature`: how a combination is looked for.
    """

    kind: Literal["neighbours"]
    neighbours: Annotated[int, Field(ge=1)] = 10
    combination: Combination = "exact"


class PhenotypeFeature(External):
    """Scalar readouts of the same perturbation: one column per phenotype and context, one block per dataset.

    Parameters
    ----------
    phenotype
        Name of the readout; every one of the dataset by default.
    combination
        As of :class:`SignatureFeature`.
    """

    is_by_context = False

    kind: Literal["phenotype"]
    phenotype: str | None = None
    combination: Combination = "exact"


class ContextFeature(Kind):
    """Mean log1p(CP10k) of each gene over the controls of the row's own context; controls are no answer.

    ``genes`` is as of :class:`ExternalEffects`, most variable over the contexts; ``components`` are over contexts.
    """

    is_of_own_context = True

    kind: Literal["context"]
    genes: Genes = "measured"
    components: Components | None = None


class TargetExpressionFeature(Kind):
    """Expression of the row's target genes over the controls of its own context: mean, and share of cells with any."""

    is_of_own_context = True

    kind: Literal["target_expression"]


class EmbeddingFeature(Kind):
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

    pair_options = frozenset({"kind", "name", "file", "key", "licence", "components", "combination", "of"})

    kind: Literal["embedding"]
    file: Annotated[str, Field(min_length=1)]
    key: str | None = None
    licence: str | None = None
    components: Components | None = None
    combination: Combination = "sum"
    of: Literal["perturbation", "gene"] = "perturbation"

    @property
    def given_for_pairs(self) -> str:
        """``of = 'gene'``, where it was given."""
        return "of = 'gene'" if self.is_of_genes else ""

    @property
    def is_of_genes(self) -> bool:
        """Whether ``of`` says so."""
        return self.of == "gene"


class ReconstructionFeature(ExternalEffects):
    """A pair's value in a reconstruction of rank ``components`` of the matrix of perturbations and genes.

    The matrix holds the mean call over the sources and the training pairs, less the gene's mean; 0 where there is none.
    """

    pair_options = _PAIR_OPTIONS - {"questions"} | {"components"}
    is_of_pairs_alone = True

    kind: Literal["reconstruction"]
    components: Components = 10


class NeighbourFeature(ExternalEffects):
    """Training calls on a pair's gene, averaged over perturbations by how alike they behave in the sources.

    The weight is the squared cosine, where positive, of the first ``components`` principal directions of the sources,
    all sources and questions together. A second column is the neighbours' mean over all genes: a strength to expect.
    """

    pair_options = _PAIR_OPTIONS | {"components"}
    is_of_pairs_alone = True

    kind: Literal["neighbour"]
    components: Components = 40


class AnalogueFeature(ExternalEffects):
    """Calls on a pair's gene of the perturbations that behave most alike, ``here`` in training and ``elsewhere``.

    As :class:`NeighbourFeature`, but for three things: the fourth power of the cosine weighs, so that few count; genes
    that answer to most perturbations say less of how one behaves; and directions keep a gene's mean, since all that
    change a gene the same way are alike. ``elsewhere`` averages the sources' own calls, that of the pair among them.
    """

    pair_options = _PAIR_OPTIONS | {"components"}
    is_of_pairs_alone = True

    kind: Literal["analogue"]
    components: Components = 80


class StrengthFeature(ExternalEffects):
    """Per source and question, a perturbation's mean over genes, less each gene's; and its number of changed genes."""

    pair_options = _PAIR_OPTIONS
    is_of_pairs_alone = True

    kind: Literal["strength"]


class BaseRateFeature(Kind):
    """Log odds of a gene's being called among the training pairs."""

    pair_options = frozenset({"kind", "name"})
    is_of_pairs_alone = True

    kind: Literal["base_rate"]


AnyKind = (
    SignatureFeature
    | ResponseFeature
    | NeighboursFeature
    | PhenotypeFeature
    | ContextFeature
    | TargetExpressionFeature
    | EmbeddingFeature
    | ReconstructionFeature
    | NeighbourFeature
    | AnalogueFeature
    | StrengthFeature
    | BaseRateFeature
)
"""Every kind, each once: a new one is a line here, and one in the table of what makes its blocks."""
Feature = Annotated[AnyKind, Field(discriminator="kind")]
KINDS: dict[str, type[Kind]] = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(AnyKind)}
PAIR_KINDS = [name for name, kind in KINDS.items() if kind.pair_options]


def external(features: Iterable[Feature]) -> dict[int, External]:
    """Return the features that look in other experiments, by their place in the spec from 1."""
    return {i: feature for i, feature in enumerate(features, start=1) if isinstance(feature, External)}


def embeddings(features: Iterable[Feature]) -> list[EmbeddingFeature]:
    """Return the features that are read from files."""
    return [feature for feature in features if isinstance(feature, EmbeddingFeature)]
