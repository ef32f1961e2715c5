"""The dataset spec: one TOML file that says what a published file holds and how to read it.

Unknown keys, wrong values and contradictions are all found before any data is read, and reported together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from featurestore.data_points import BULK
from featurestore.errors import SpecError
from featurestore.spec_faults import spec_error, spec_faults
from featurestore.spec_text import spec_content, spec_text
from ingest.condition_section import MATRIX_COLUMNS, ConditionSection
from ingest.given import given_columns
from ingest.reported_sections import EffectsSection, LayersSection, PhenotypesSection, QualitySection
from ingest.sections import (
    CompoundSection,
    CoverageSection,
    GenesSection,
    GuidesSection,
    LogarithmSection,
    RowsSection,
    Section,
    TagsSection,
    TokensSection,
    Words,
    column_in_sql,
)
from ingest.spec_words import meant
from ingest.values import ESTIMATED, VALUES, Route, ValueKind, ValueName, route_of

SPECS = Path(__file__).with_name("specs")
"""Folder of the specs that come with featurestore."""

GENETIC_KINDS = frozenset({"crispri", "crispra", "crispr_knockout", "shrna", "overexpression"})
LEAST_CELLS, LEAST_SAMPLES = 10, 2
"""Cells, or samples, that a data point has at least, where the spec does not say."""


class DatasetSection(Section):
    """``[dataset]``: what is published, by whom, under which terms.

    ``matrix`` names one of several matrices of a file (``layers/counts``), and of STAR's ``ReadsPerGene.out.tab`` the
    strand that the library was made of: ``unstranded``, ``forward`` or ``reverse``.

    Of a table, ``genes_in`` says whether genes are its ``columns`` or its ``rows``, and ``described_by`` names the
    numeric columns that describe its rows: without it, those that are not named like genes where the others are, and
    with it no others but what the spec names elsewhere. Of a workbook, ``sheet`` names the sheet, and ``header`` is the
    row of its header, counted from 1.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]
    files: Annotated[list[str], Field(min_length=1)]
    values: ValueName
    assay: Literal["perturb_seq", "drug_seq", "l1000", "bulk_rna_seq", "crispr_screen", "drug_screen", "de_table"]
    format: str | None = None
    matrix: str | None = None
    genes_in: Literal["columns", "rows"] | None = None
    described_by: list[str] | None = None
    sheet: str | None = None
    header: Annotated[int, Field(ge=1)] | None = None
    logarithm: LogarithmSection = LogarithmSection()
    organism: Literal["human", "mouse"] = "human"
    experiment: str | None = None
    source: Words = ""
    title: Words = ""
    citation: Words = ""
    licence: Words = ""
    url: Words = ""


class DatasetSpec(Section):
    """A dataset spec, whole."""

    dataset: DatasetSection
    condition: ConditionSection
    rows: RowsSection = RowsSection()
    genes: GenesSection = GenesSection()
    guides: GuidesSection | None = None
    tags: TagsSection | None = None
    tokens: TokensSection | None = None
    compound: CompoundSection = CompoundSection()
    quality: QualitySection = QualitySection()
    coverage: CoverageSection | None = None
    table: EffectsSection | None = None
    phenotypes: PhenotypesSection | None = None
    layers: LayersSection = LayersSection()

    @model_validator(mode="after")
    def _has_controls(self) -> Self:
        condition = self.condition
        says_controls = condition.controls or condition.control_where or condition.kind_column
        if self.needs_control and not says_controls and condition.kind != "control":
            column = column_in_sql((condition.components or ["label"])[0])
            raise ValueError(
                "condition.controls: name the control labels, or take their rows, such as those without a label, with "
                f'control_where = "{column} is null"; only values that are already relative need none'
            )
        if self.is_phenotype != (condition.perturbation == MATRIX_COLUMNS):
            raise ValueError(f'condition.perturbation: "{MATRIX_COLUMNS}" goes with a phenotype such as gene_effect')
        if (self.dataset.values == "bp_coverage") != (self.coverage is not None):
            raise ValueError('[coverage] says what a read covers: it goes with values = "bp_coverage"')
        if self.dataset.values == "log2_expression" and self.condition.batch is None:
            raise ValueError("condition.batch: name the plate: log2_expression is compared with its plate's controls")
        return self

    @model_validator(mode="after")
    def _has_cells_to_replicate(self) -> Self:
        if self.condition.replicate and self.route != "summed":
            raise ValueError(
                f"condition.replicate: of cells or samples, which are summed; {self.dataset.values} are not"
            )
        return self

    @model_validator(mode="after")
    def _sums_transcripts(self) -> Self:
        if self.genes.transcripts is not None and self.dataset.values not in {"counts", ESTIMATED}:
            raise ValueError(f"genes.transcripts: counts are summed; {self.dataset.values} are not")
        return self

    @model_validator(mode="after")
    def _is_a_logarithm(self) -> Self:
        if self.dataset.logarithm != LogarithmSection() and self.dataset.values != "log1p":
            raise ValueError('dataset.logarithm: it goes with values = "log1p"')
        return self

    @model_validator(mode="after")
    def _says_of_how_many_cells(self) -> Self:
        if self.dataset.values == "mean_counts" and not self.condition.cells:
            raise ValueError("condition.cells: name the column of how many cells each mean was taken over")
        return self

    @model_validator(mode="after")
    def _responds(self) -> Self:
        if (self.route == "responses") != (self.phenotypes is not None):
            raise ValueError('[phenotypes] names the numbers of a table of responses: it goes with "drug_response"')
        if self.phenotypes is not None and len(self.condition.components) != 1:
            raise ValueError("condition.perturbation: name the column of the compound")
        return self

    @model_validator(mode="after")
    def _reports_effects(self) -> Self:
        if self.table is not None and not self.is_relative:
            raise ValueError("[table] lists effects: values is log2_fold_change, de_call or another kind of them")
        if self.layers.named() and (self.table is not None or not self.is_relative):
            raise ValueError("[layers] goes with a matrix of reported effects; with [table], name columns there")
        return self

    @property
    def value_kind(self) -> ValueKind:
        """What the values mean."""
        return VALUES[self.dataset.values]

    @property
    def route(self) -> Route:
        """The way of the values into a release; z-scores of whole populations of cells are reported effects."""
        return route_of(self.dataset.values, of_populations=bool(self.condition.cells))

    @property
    def is_relative(self) -> bool:
        """Whether the values are differences from control already, one row per signature."""
        return self.route == "reported"

    @property
    def is_phenotype(self) -> bool:
        """Whether values are scalar readouts: a row is a cell line, a column a perturbed gene."""
        return self.route == "phenotypes"

    @property
    def layout(self) -> dict[str, Any]:
        """How a file is laid out, as far as the spec says."""
        tokens = self.tokens.model_dump() if self.tokens is not None else None
        named = ("genes_in", "described_by", "sheet", "header")
        given = {name: getattr(self.dataset, name) for name in named} | {"tokens": tokens}
        return {name: value for name, value in given.items() if value}

    @property
    def lines(self) -> EffectsSection | None:
        """What there is in a row of a table of effects or responses; None of a matrix."""
        if self.phenotypes is not None:
            return self.phenotypes.of_lines
        return self.table

    @property
    def needs_control(self) -> bool:
        """Whether signatures are computed against control rows of the dataset."""
        return self.value_kind.needs_control

    @property
    def experiment(self) -> str:
        """The identity of the cells; the dataset's own id where the spec gives none."""
        return self.dataset.experiment or self.dataset.id

    @property
    def min_cells(self) -> int:
        """Cells, or samples of bulk RNA-Seq, that a condition needs to be a data point."""
        usual = LEAST_SAMPLES if self.dataset.assay == BULK else LEAST_CELLS
        return self.condition.min_cells or usual

    @property
    def reports_significance(self) -> bool:
        """Whether the source says which effects are significant."""
        listed = self.table is not None and self.table.q_value is not None
        layered = self.layers.p_value is not None or self.layers.q_value is not None
        return self.dataset.values == "de_call" or listed or layered

    def label_columns(self) -> list[str]:
        """Return the columns that hold labels, which are text whatever they look like."""
        condition = self.condition
        plain = (condition.kind_column, condition.batch, condition.guide, condition.cluster, condition.split)
        names = [*condition.components, *condition.replicate_columns, *plain, *given_columns(condition.context)]
        for join in self.rows.join:
            on = join.on or join.key
            names += [on] if isinstance(on, str) else on
        return [name for name in names if name is not None]

    def row_columns(self) -> list[str]:
        """Return the columns of the row table that the spec names."""
        condition = self.condition
        names = [
            *condition.components,
            condition.kind_column,
            condition.batch,
            condition.guide,
            condition.cluster,
            condition.split,
            *condition.cell_numbers,
            *condition.replicate_columns,
            *(name for given in (condition.context, condition.dose, condition.time) for name in given_columns(given)),
            *self.compound.columns().values(),
            *self.quality.columns(),
            *(self.coverage.columns().values() if self.coverage is not None else ()),
            *(self.phenotypes.columns if self.phenotypes is not None else ()),
        ]
        return list(dict.fromkeys(name for name in names if name is not None))


def read_spec(path: Path) -> DatasetSpec:
    """Read and check a dataset spec.

    Raises
    ------
    SpecError
        The file is missing, not TOML, or wrong; every fault is listed.
    """
    try:
        text = spec_text(path)
    except OSError as error:
        raise SpecError("The spec cannot be read.", where=str(path), got=error.strerror or str(error)) from None
    return parse_spec(spec_content(text, str(path)), where=str(path))


def parse_spec(content: dict[str, Any], *, where: str = "") -> DatasetSpec:
    """Check the content of a dataset spec.

    Raises
    ------
    SpecError
        Something is wrong; every fault is listed.
    """
    try:
        return DatasetSpec.model_validate(content)
    except ValidationError as error:
        is_other = "dataset" not in content and {"target", "feature"} <= set(content)
        do = (
            "this is a spec of features: featurestore build SPEC.toml -o FOLDER"
            if is_other
            else "every section, its keys and what they take: featurestore inspect --explain"
        )
        raise spec_error(spec_faults(error, DatasetSpec, meant=meant), where, do, of="dataset") from None
