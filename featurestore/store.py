"""The front door: a snapshot to query, and what is made of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from featurestore.counts import count_of
from featurestore.errors import FeatureError, QueryError
from featurestore.query.warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    from anndata import AnnData

    from featurestore.features.matrix.feature_matrix import FeatureMatrix
    from featurestore.features.pairs.pair_matrix import PairMatrix
    from featurestore.features.plan import Plan
    from featurestore.features.spec import SpecLike
    from featurestore.lookup.agreement import Agreement
    from featurestore.lookup.enrichment import Enrichment, EnrichmentOptions, GeneSets
    from featurestore.search.answer import SearchOptions
    from featurestore.search.query import Query


class Store(Warehouse):
    """A :class:`Warehouse` with what is made of it, whose SQL may ask ``similar('dataset', 'condition')``.

    :func:`featurestore.open` gives one. Each method imports what it needs when it is called: who only reads waits for
    no model library.

    Parameters
    ----------
    path, snapshot, datasets, memory
        As of :class:`Warehouse`.

    Examples
    --------
    >>> import featurestore as fs
    >>> store = fs.open("warehouse")  # doctest: +SKIP
    >>> matrix = store.build("features.toml")  # doctest: +SKIP
    """

    @overload
    def build(self, spec: SpecLike, *, unit: Literal["condition"] = "condition") -> FeatureMatrix: ...
    @overload
    def build(self, spec: SpecLike, *, unit: Literal["pair"]) -> PairMatrix: ...
    def build(self, spec: SpecLike, *, unit: Literal["condition", "pair"] = "condition") -> FeatureMatrix | PairMatrix:
        """Build the feature matrix of a feature spec; see :func:`featurestore.features.builder.build`.

        Parameters
        ----------
        spec
            A :class:`~featurestore.features.spec.FeatureSpec`, its sections as a dictionary, the path of its TOML file,
            or the name of one that comes with featurestore.
        unit
            What a row is, as the spec's target says.

        Returns
        -------
        A :class:`~featurestore.features.matrix.feature_matrix.FeatureMatrix`: ``X`` of shape (rows, features) and ``Y``
        of shape (rows, genes), float32, NaN where nothing is known, with the lineage of rows and columns. Of pairs a
        :class:`~featurestore.features.pairs.pair_matrix.PairMatrix`.

        Raises
        ------
        SpecError
            The spec is wrong; every fault is listed.
        LeakageError
            A feature looks in the target's own experiment, or in a lookalike of it, or the split shares a perturbation.
        FeatureError
            There is nothing to predict, or to predict it from; a licence is forbidden; or the spec's rows are others.
        """
        from featurestore.features.builder import build  # noqa: PLC0415
        from featurestore.features.spec import read_spec  # noqa: PLC0415

        spec = read_spec(spec)
        if spec.target.unit != unit:
            raise FeatureError(
                f"A row of '{spec.name}' is a {spec.target.unit}.",
                expected=f"a {unit}",
                do=f'build(spec, unit="{spec.target.unit}")',
            )
        return build(self, spec)

    def plan(self, spec: SpecLike) -> Plan:
        """Say what a feature spec would find, without building it; see :func:`featurestore.features.plan.plan`.

        Parameters
        ----------
        spec
            As of :meth:`build`.

        Returns
        -------
        A :class:`~featurestore.features.plan.Plan`: ``sources`` by their agreement with the target, ``local`` agreement
        near each row, ``cells`` behind what is said of it, and the ``facts``.

        Raises
        ------
        SpecError
            The spec is wrong; every fault is listed.
        FeatureError
            There is nothing to predict.
        """
        from featurestore.features.plan import plan  # noqa: PLC0415
        from featurestore.features.spec import read_spec  # noqa: PLC0415

        return plan(self, read_spec(spec))

    def __repr__(self) -> str:
        n_datasets = count_of(len(self.snapshot.datasets), "dataset")
        return f"Store of {self.url or self.path}, snapshot {self.snapshot.number}: {n_datasets}"

    def _repr_html_(self) -> str:
        listed = "dataset_id", "title", "assay", "n_cells", "n_conditions", "n_genes", "licence"
        return f"<p>{escape(repr(self))}</p>{self.datasets().select(listed)._repr_html_()}"

    def datasets(self) -> pl.DataFrame:
        """List the datasets of the snapshot, a row each: the view ``dataset``, by dataset_id."""
        return self.frame("select * from dataset order by dataset_id")

    def perturbations(self) -> pl.DataFrame:
        """List the perturbations, a row each, those first that most datasets and contexts have.

        Returns
        -------
        ``perturbation``, ``perturbation_kind``, ``n_datasets``, ``n_contexts``, ``n_conditions`` and ``n_responders``.
        """
        from featurestore.lookup.cards import perturbations_of  # noqa: PLC0415

        return perturbations_of(self)

    def signature(self, name: str, *, dataset_id: str | None = None, context: str | None = None) -> pl.DataFrame:
        """Read the signatures of a perturbation, by any of its names: a row a condition and gene, the surest first.

        Parameters
        ----------
        name
            A gene that is perturbed, or a compound; of any case, current or former.
        dataset_id, context
            Which conditions: of one dataset, of one cell line by its label or id. All of them by default.

        Returns
        -------
        A row for each condition and measured gene, by condition, the surest genes first: the condition (``dataset_id``,
        ``condition_id``, ``context_label``, ``dose_um``, ``time_h``, ``n_cells``, ``is_responder``), ``gene_id`` and
        ``gene``, ``effect`` in the unit of ``effect_kind``, ``standard_error``, ``log2fc``, ``z``, ``p_value`` and
        ``q_value``; null where nothing is known.

        Raises
        ------
        QueryError
            Nothing is called so; or it was not perturbed there.

        Examples
        --------
        >>> store.signature("CCDC6", context="K562").head()  # doctest: +SKIP
        """
        from featurestore.lookup.cards import signatures_named  # noqa: PLC0415

        return signatures_named(self, name, dataset_id=dataset_id, context=context)

    def _prepared(
        self, query: str, parameters: dict[str, Any] | list[Any] | None
    ) -> tuple[str, Collection[str] | None]:
        """Search what a statement asks of ``similar``, besides what every warehouse makes for it."""
        tree, datasets = super()._prepared(query, parameters)
        if "similar" in query.lower():
            from featurestore.search.sql import answer_similar  # noqa: PLC0415, few statements ask it

            answer_similar(self, tree, parameters)
        return tree, datasets

    def search(
        self, query: Query | Sequence[Query] | str | None = None, **options: Unpack[SearchOptions]
    ) -> pl.DataFrame:
        """Find signatures with the same effect as one, or the opposite; see :func:`featurestore.search.answer.search`.

        Parameters
        ----------
        query
            The name of a perturbation, in all its contexts or in ``context``; or a query that was made before. Of
            several queries, the column ``query`` has the names. Without one, an option says what is searched for.
        options
            ``condition``, ``perturbation``, ``up`` and ``down``, ``signature``: what is searched for. ``context`` of
            the perturbation; ``score``, ``where``, ``kind``, ``opposite``, ``by``, ``top``, ``background``, ``report``.

        Returns
        -------
        A row for each condition, perturbation, mechanism or target, as ``by`` says, the most alike first: ``score``,
        ``p_value``, ``q_value`` over all that was searched, ``n_genes`` compared, and what it is; null where unknown.

        Raises
        ------
        QueryError
            Not one thing is asked for, it is not known, or ``where`` is no SQL.

        Examples
        --------
        >>> store.search("JAK2", context="K562", top=10)  # doctest: +SKIP
        """
        from featurestore.search.answer import search, search_many  # noqa: PLC0415
        from featurestore.search.query import Query  # noqa: PLC0415

        if isinstance(query, str):
            if "perturbation" in options:
                raise QueryError("A perturbation is named twice.", got=f"{query!r}, {options['perturbation']!r}")
            options["perturbation"] = query
            return search(self, **options)
        if query is None or isinstance(query, Query):
            return search(self, query, **options)
        return search_many(self, query, **options)

    def compare(self, dataset_id: str, other: str) -> Agreement:
        """Compare what the same perturbations do in two datasets, where they respond in both.

        Parameters
        ----------
        dataset_id, other
            The two datasets.

        Returns
        -------
        An :class:`~featurestore.lookup.agreement.Agreement`: its ``rows`` have, for each perturbation, the correlation
        of its effects (``r``, and ``centred_r``), that of chance and the most that noise allows; ``summary`` has their
        medians.

        Raises
        ------
        UnknownDatasetError
            The snapshot has no such dataset.
        QueryError
            The two are one, or share no perturbation that responds, or no ten genes.

        Examples
        --------
        >>> store.compare("replogle_2022_k562_essential", "replogle_2022_rpe1").rows  # doctest: +SKIP
        """
        from featurestore.lookup.agreement import compare_datasets  # noqa: PLC0415

        return compare_datasets(self, dataset_id, other)

    def enrich(self, name: str, gene_sets: GeneSets | str | Path, **options: Unpack[EnrichmentOptions]) -> Enrichment:
        """Test gene sets in the signature of a perturbation; see :func:`featurestore.lookup.enrichment.enrich`.

        Parameters
        ----------
        name
            A gene that is perturbed, or a compound, by any of its names.
        gene_sets
            A GMT file, or genes by the name of their set; genes by any identifier.
        options
            ``how`` (ranks or changed); which condition: ``dataset_id``, ``context``, ``condition_id``; ``fewest`` and
            ``most`` measured genes of a set; ``seed``.

        Returns
        -------
        An :class:`~featurestore.lookup.enrichment.Enrichment`: its ``table`` has a row for each set tested, the surest
        first.

        Raises
        ------
        QueryError
            gseapy is not installed, there is no such signature, its genes have no order, none changes, or no set is of
            a size to be tested.

        Examples
        --------
        >>> store.enrich("STAT1", "hallmark.gmt", context="K562").table  # doctest: +SKIP
        """
        from featurestore.lookup.enrichment import enrich  # noqa: PLC0415

        return enrich(self, name, gene_sets, **options)

    def to_anndata(self, dataset_id: str, *, forbid: Collection[str] = ()) -> AnnData:
        """Return the conditions of a dataset as an AnnData, unless its licence is forbidden.

        Parameters
        ----------
        dataset_id
            The dataset.
        forbid
            Licences that must not leave the warehouse, or ``non-commercial`` for all that exclude commercial use.

        Returns
        -------
        Shape (conditions, genes): ``X`` is the mean of log1p(CP10k), or the effect where there are no cells; effects,
        tests and counts are ``layers``; NaN is missing.

        Raises
        ------
        UnknownDatasetError
            The snapshot has no such dataset.
        FeatureError
            Its licence is forbidden, or unknown where any is forbidden, or what is forbidden is no licence.
        """
        from featurestore.features.matrix.pseudobulk import dataset_anndata  # noqa: PLC0415

        return dataset_anndata(self, dataset_id, forbid=forbid)
