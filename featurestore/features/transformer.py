"""External signatures inside scikit-learn: a transformer from perturbation names to features of other experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from featurestore.errors import FeatureError, first_of
from featurestore.features.blocks.block import FeatureBlock
from featurestore.features.blocks.by_kind import make_blocks
from featurestore.features.builder import build
from featurestore.features.effects.elsewhere import Elsewhere, Measured
from featurestore.features.identifiers import perturbed
from featurestore.features.matrix.cache import matrix_key
from featurestore.features.remembered import Remembered
from featurestore.features.selection import Source, select_sources
from featurestore.features.spec import FeatureSpec, SpecLike, read_spec, spec_of
from featurestore.query.warehouse import Warehouse
from featurestore.storage.addresses import is_url
from featurestore.storage.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

_NOBODY = "-"
_REMEMBERED = Remembered()
_NO_GENES = pl.DataFrame(schema={"gene_id": pl.String(), "gene_symbol": pl.String()})


class SignatureFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn perturbations into features of other experiments.

    Components are fitted on external conditions alone, so nothing of the rows' own answers is learnt; what a row lacks
    is NaN. A feature that no perturbation seen by ``fit`` has is not among the columns. Where the spec has a target,
    ``fit`` builds its matrix, or takes it from the warehouse, and so refuses what :func:`build` refuses; averages leave
    out every experiment of the target, since a perturbation does not say which of them it is from. Features that were
    made once are remembered in the process, so that a grid search reads sources once.

    Parameters
    ----------
    store
        Path of a warehouse, or an open one; copied and pickled by its path and snapshot. What is transformed is read
        from the snapshot that was fitted: the spec's, else the open one's, else the latest.
    spec
        A feature spec (or a dictionary, or the path of its file), whose target's experiments are refused as sources;
        or a list of features as dictionaries, such as ``[{"kind": "signature", "datasets": ["replogle_2022_rpe1"]}]``.
    components
        Principal components per source, in place of what the features say.
    withhold
        Experiments whose conditions are not looked at: those that the rows are from, where the spec has no target.
    perturbation_kind
        How the rows are perturbed, such as ``crispri``; sources of that kind or direction then come first.
    effect_kind
        The effect of features that name none, where the spec has no target.

    Attributes
    ----------
    feature_names_out_
        Names of the columns.
    """

    def __init__(
        self,
        store: Warehouse | str | Path = "warehouse",
        spec: SpecLike | Sequence[Mapping[str, Any]] = (),
        *,
        components: int | None = None,
        withhold: Sequence[str] = (),
        perturbation_kind: str | None = None,
        effect_kind: str = "delta_log1p",
    ) -> None:
        self.store = store
        self.spec = spec
        self.components = components
        self.withhold = withhold
        self.perturbation_kind = perturbation_kind
        self.effect_kind = effect_kind

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803
        """Find the features that these perturbations have.

        Parameters
        ----------
        X
            Names of perturbations: gene symbols or ids, compounds, or combinations ``A+B``; shape (rows,) or (rows, 1).
        y
            Ignored.

        Raises
        ------
        LeakageError
            A feature looks in the target's experiment, or in a lookalike of it.
        FeatureError
            A licence is refused, a feature needs rows of another kind, or no source knows these perturbations.
        """
        self._note_input(X)
        spec = self._spec()
        self._snapshot, blocks = self._blocks(spec, _names(X), spec.snapshot)
        self.feature_names_out_ = np.array([name for b in blocks for name in b.columns["name"]], dtype=object)
        self.blocks_ = np.array([b.name for b in blocks for _ in range(b.columns.height)], dtype=object)
        if not len(self.feature_names_out_):
            raise FeatureError(
                "No source says anything about these perturbations.",
                got=first_of(list(map(repr, _names(X)))),
                do="name genes by symbol or Ensembl id, compounds by id or name",
            )
        return self

    if TYPE_CHECKING:  # scikit-learn has no types

        def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> npt.NDArray[np.float32]:  # noqa: N803
            """Fit, and return the features of the same perturbations."""

    def transform(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return features, float32, shape (rows, features); NaN is missing.

        Parameters
        ----------
        X
            Names of perturbations, as of :meth:`fit`.

        Raises
        ------
        NotFittedError
            It was not fitted.
        """
        check_is_fitted(self)
        names = _names(X)
        values = np.full((len(names), len(self.feature_names_out_)), np.nan, dtype=np.float32)
        place = {name: i for i, name in enumerate(self.feature_names_out_)}
        _, blocks = self._blocks(self._spec(), names, self._snapshot)
        for block in blocks:
            pairs = [(place[name], i) for i, name in enumerate(block.columns["name"]) if name in place]
            if pairs:
                ours, theirs = map(list, zip(*pairs, strict=True))
                values[:, ours] = block.values[:, theirs]
        return values

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Return the names of the columns.

        Parameters
        ----------
        input_features
            Ignored.
        """
        check_is_fitted(self)
        return np.asarray(self.feature_names_out_)

    def __sklearn_tags__(self) -> Any:
        """Say that the input is text, and that the output may have gaps and is float32 whatever comes in."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.no_validation = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _note_input(self, X: Any) -> None:  # noqa: N803
        self.n_features_in_ = 1
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(list(X.columns), dtype=object)

    @contextmanager
    def _opened(self, snapshot: int | None) -> Iterator[Warehouse]:
        """Open the store at a snapshot, unless it is open there."""
        opened = self.store.at(snapshot) if isinstance(self.store, Warehouse) else Warehouse(self.store, snapshot)
        with opened as store:
            yield store

    def _blocks(self, spec: FeatureSpec, names: pl.Series, number: int | None) -> tuple[int, list[FeatureBlock]]:
        """Return the number of the snapshot, and the blocks of every row; those not remembered are made."""
        state = self._state(number)
        filled = names.fill_null("")
        unique = filled.unique(maintain_order=True)
        rows = {name: i for i, name in enumerate(unique)}
        index = np.array([rows[name] for name in filled], dtype=np.intp)

        def make(some: Sequence[str]) -> list[FeatureBlock]:
            with self._opened(state.number) as store:
                return self._made(store, spec, pl.Series(some, dtype=pl.String()))

        blocks = _REMEMBERED.blocks(self._key(spec, state), unique.to_list(), make)
        return state.number, [replace(block, values=block.values[index]) for block in blocks]

    def _made(self, store: Warehouse, spec: FeatureSpec, names: pl.Series) -> list[FeatureBlock]:
        own_experiments, genes = _checked(store, spec)
        effect_kind = self.effect_kind if spec.target.dataset == _NOBODY else spec.target.effect_kind
        every = select_sources(store, spec.feature, effect_kind, spec.name)
        sources = [kept for source in every if (kept := self._kept(source, own_experiments)) is not None]
        rows = _rows(store, names, self.perturbation_kind)
        unknown = np.empty((rows.height, 0), dtype=np.float32)
        measured = Measured(rows, genes, unknown, spec.target.effect_kind)
        return make_blocks(store, spec, sources, measured, Elsewhere(measured, sources), lambda _: None)

    def _state(self, number: int | None) -> Snapshot:
        """Return the snapshot that is read, without opening the store where that is not needed."""
        if not isinstance(self.store, Warehouse) and not is_url(self.store):
            return read_snapshot(Path(self.store).resolve(), number)
        with self._opened(number) as store:
            return store.snapshot

    def _key(self, spec: FeatureSpec, state: Snapshot) -> str | None:
        """Return everything that features follow from but the names; None where a file cannot be read."""
        matrix = matrix_key(state, spec)
        place = (self.store.url or self.store.path) if isinstance(self.store, Warehouse) else self.store
        place = place if is_url(place) else Path(place).resolve()
        said = (str(place), state.manifests, self.perturbation_kind, self.effect_kind, list(self.withhold))
        return None if matrix is None else repr((matrix, *said))

    def _spec(self) -> FeatureSpec:
        if isinstance(self.spec, FeatureSpec | Mapping | str | Path):
            spec = read_spec(self.spec)
        else:
            spec = spec_of({"target": {"dataset": _NOBODY}, "feature": [dict(f) for f in self.spec]}, "spec")
        if self.components is None:
            return spec
        features = [feature.with_components(self.components) for feature in spec.feature]
        return spec.model_copy(update={"feature": features})

    def _kept(self, source: Source, own_experiments: Sequence[str]) -> Source | None:
        """Drop the conditions that are not to be looked at; None where no others are left."""
        withheld = [*self.withhold, *(own_experiments if source.feature.leaves_own_out else ())]
        if not withheld:
            return source
        conditions = source.conditions.filter(~pl.col("experiment_id").is_in(withheld))
        return None if conditions.is_empty() else replace(source, conditions=conditions)


def _checked(store: Warehouse, spec: FeatureSpec) -> tuple[list[str], pl.DataFrame]:
    """Refuse what a matrix of the spec is refused for, and return the target's experiments and genes, if there is one.

    Raises
    ------
    LeakageError, FeatureError
        As :meth:`SignatureFeatures.fit`.
    """
    of_context = any(feature.is_of_own_context for feature in spec.feature)
    if of_context or spec.target.unit == "pair":
        raise FeatureError(
            "Features of a context or of pairs need rows that have one.",
            expected="signature, neighbours, response, phenotype or embedding features of conditions",
            do="build a matrix with store.build(spec) instead",
        )
    if spec.target.dataset != _NOBODY:
        matrix = cast("FeatureMatrix", build(store, spec))
        return matrix.manifest["guard"]["experiments"]["target_experiments"], matrix.genes
    if any(feature.shares_genes for feature in spec.feature):
        raise FeatureError(
            "Genes can only be shared with a target.",
            where='genes = "shared"',
            do="give a feature spec, which has one, or name the genes",
        )
    return [], _NO_GENES


def _names(X: Any) -> pl.Series:  # noqa: N803
    """Return names as a series; missing ones are NULL.

    Raises
    ------
    ValueError
        The input is not one column.
    TypeError
        It is sparse.
    """
    if issparse(X):
        raise TypeError("sparse input is not supported: give names of perturbations")
    values = np.asarray(X, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"expected one column of perturbation names, got shape {values.shape}")
    names = [None if name is None or name != name else str(name) for name in values]  # noqa: PLR0124, NaN
    return pl.Series(names, dtype=pl.String())


def _rows(store: Warehouse, names: pl.Series, kind: str | None) -> pl.DataFrame:
    """Describe each perturbation."""
    text = pl.lit(None, pl.String())
    return perturbed(store, names).with_columns(
        perturbation_kind=pl.lit(kind, pl.String()), experiment_id=pl.lit(""), context_id=text, n_cells=pl.lit(None)
    )
