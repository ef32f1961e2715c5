"""What every kind of feature has, what those that look in other experiments have, and those that look at effects."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from featurestore.features.kinds.options import (
    PHENOTYPE,
    Components,
    Condition,
    EffectKind,
    Genes,
    Question,
    Slug,
    SpecSection,
)

PAIR_OPTIONS = frozenset({"kind", "name", "datasets", "where", "responders_only", "effect_kind", "questions"})


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

    @property
    def is_of_both(self) -> bool:
        """Whether it describes what is perturbed and, in the same terms, the measured genes."""
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
