"""``kind = "embedding"``: any table or gene sets keyed by gene or compound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from featurestore.features.kinds.kind import Kind
from featurestore.features.kinds.options import Combination, Components, Of


class EmbeddingFeature(Kind):
    """Vectors of genes or compounds from a file of Parquet, CSV or npz (no pickles), or the sets of a GMT file.

    Of a GMT file every set of two members or more is a dimension, 1 in it and 0 outside; what is in none is missing.
    Its members may be compounds too: a set is then a mechanism, or what has a target.

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
        Whose vectors: those of what is perturbed; of ``both`` that and every measured gene; where rows are pairs, of
        what is perturbed or of the ``gene`` measured.
    """

    pair_options = frozenset({"kind", "name", "file", "key", "licence", "components", "combination", "of"})

    kind: Literal["embedding"]
    file: Annotated[str, Field(min_length=1)]
    key: str | None = None
    licence: str | None = None
    components: Components | None = None
    combination: Combination = "sum"
    of: Of | Literal["gene"] = "perturbation"

    @property
    def given_for_pairs(self) -> str:
        """``of = 'gene'``, where it was given."""
        return "of = 'gene'" if self.is_of_genes else ""

    @property
    def is_of_genes(self) -> bool:
        """Whether ``of`` says so."""
        return self.of == "gene"

    @property
    def is_of_both(self) -> bool:
        """Whether ``of`` says so."""
        return self.of == "both"
