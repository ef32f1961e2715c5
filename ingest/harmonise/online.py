"""Genes that the reference leaves open, looked up at mygene.info when that is asked for.

Only identifiers without a gene are asked for: those not found, and retired ones without a successor. What the
reference maps, or finds ambiguous, stays as it is. Identifiers are looked for as what they are (Ensembl id, Entrez id
current or retired, symbol), symbols that are nobody's then among aliases. Those hits count that bear the term to the
letter, case aside, and are human; together they have to lead to exactly one gene of the reference. A gene that the
service knows and the reference does not is named as a candidate and not used, so that every ``gene_id`` is one that
other datasets can have too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import polars as pl

from ingest.harmonise.gene_lookup import look_up_ids, with_symbols
from ingest.harmonise.gene_mapping import GeneMapping
from ingest.harmonise.gene_notation import is_mouse_cased
from ingest.harmonise.online_cache import Answer, AnswerCache
from ingest.harmonise.online_service import GeneService, Hits

STATUS = "mygene"
OPEN = ("unmapped", "retired_no_successor")
SCOPES = {
    "ensembl": "ensembl.gene",
    "symbol_ensembl": "ensembl.gene",
    "entrez": "entrezgene,retired",
    "symbol_entrez": "entrezgene,retired",
    "symbol": "symbol",
}
"""Where each kind of identifier is looked for first."""

ALIAS = "alias"
HUMAN = 9606

_ASKABLE = r"^[0-9A-Za-z][0-9A-Za-z_.@-]*$"
"""Terms that can be asked for; the service takes other signs for separators or operators."""

_VERDICT = {
    **dict.fromkeys(("term", "scopes", "gene_id", "confidence", "method"), pl.String()),
    "candidates": pl.List(pl.String()),
    "note": pl.String(),
}

Question = tuple[str, str]
"""A term, and the scopes to find it in."""


class OnlineGenes:
    """What the service says of the genes of one dataset or list.

    Parameters
    ----------
    service
        The service to ask.
    cache
        Answers of before, which are taken first.
    """

    def __init__(self, service: GeneService, cache: AnswerCache) -> None:
        self.service = service
        self.cache = cache
        self.n_mapped = 0
        self._used: dict[Question, Answer | None] = {}

    @classmethod
    def at(cls, warehouse: Path | None) -> Self:
        """Ask mygene.info, or the service that the environment names; keep its answers in a warehouse, if given."""
        return cls(GeneService(), AnswerCache(warehouse))

    def save(self) -> None:
        """Write the new answers to the warehouse."""
        self.cache.save()

    def summary(self) -> str:
        """Say in one line what was asked and found."""
        said = f"mygene: {self.n_questions:,} questions, {self.n_mapped:,} identifiers mapped"
        if self.n_unanswered:
            return (
                f"{said}; {self.n_unanswered:,} not answered ({self.service.down}): the reference alone decided those"
            )
        return said

    def complete(self, mapping: GeneMapping) -> GeneMapping:
        """Map what the service knows one gene for; such rows get the status ``mygene`` and the build as method."""
        table = mapping.table.with_row_index("row")
        is_open = table.with_columns(
            scopes=pl.col("id_kind").replace_strict(SCOPES, default=None, return_dtype=pl.String)
        ).filter(_is_open(mapping.kind))
        if is_open.is_empty():
            return mapping
        questions: list[Question] = is_open.select("normalised", "scopes").unique(maintain_order=True).rows()
        verdicts = pl.DataFrame(self._verdicts(questions), schema=_VERDICT, orient="row")
        verdicts = with_symbols(verdicts)
        told = is_open.select("row", term="normalised", scopes="scopes").join(verdicts, on=["term", "scopes"])
        self.n_mapped += len(told["gene_id"].drop_nulls())
        return mapping.with_table(_merged(table, told.drop("term", "scopes")))

    def identity(self) -> dict[str, Any] | None:
        """Return what the result depends on beyond the reference; None if nothing had to be asked."""
        if not self._used:
            return None
        answers = [
            (*question, answer and (answer.build, answer.hits)) for question, answer in sorted(self._used.items())
        ]
        return {
            "service": STATUS,
            "builds": sorted({answer.build for answer in self._used.values() if answer is not None}),
            "n_questions": len(answers),
            "n_unanswered": self.n_unanswered,
            "answers_sha256": hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest(),
        }

    @property
    def n_questions(self) -> int:
        """Distinct questions, whether the service or the cache answered."""
        return len(self._used)

    @property
    def n_unanswered(self) -> int:
        """Questions that the service did not answer."""
        return sum(answer is None for answer in self._used.values())

    def _verdicts(self, questions: Sequence[Question]) -> list[tuple[Any, ...]]:
        answers = self._answers(questions)
        leftovers = [
            (term, ALIAS)
            for (term, scopes), answer in answers.items()
            if scopes == "symbol" and answer is not None and not _fitting(answer.hits, term, scopes)
        ]
        aliases = self._answers(leftovers)
        known = _genes_of_reference([*answers.values(), *aliases.values()])
        rows = []
        for (term, scopes), answer in answers.items():
            if (term, ALIAS) in aliases:
                verdict = self._verdict(term, ALIAS, aliases[term, ALIAS], known)
            else:
                verdict = self._verdict(term, scopes, answer, known)
            rows.append((term, scopes, *verdict))
        return rows

    def _answers(self, questions: Iterable[Question]) -> dict[Question, Answer | None]:
        """Answer every question from the cache, else the service; None where there is no answer."""
        asked = list(questions)
        for scopes in dict.fromkeys(scopes for _, scopes in asked):
            terms = sorted(term for term, where in asked if where == scopes and self.cache.get(scopes, term) is None)
            build, found = self.service.ask(terms, scopes) if terms else ("", {})
            for term, hits in found.items():
                self.cache.put(scopes, term, Answer(hits, build))
        answers = {(term, scopes): self.cache.get(scopes, term) for term, scopes in asked}
        self._used |= answers
        return answers

    def _verdict(self, term: str, scopes: str, answer: Answer | None, known: dict[str, str]) -> tuple[Any, ...]:
        """Return gene_id, confidence, method, candidates and note."""
        if answer is None:
            return (
                None,
                None,
                None,
                [],
                f"{STATUS} did not answer: {self.service.down or 'the term is missing from its reply'}",
            )
        name = f"{STATUS} {answer.build}"
        hits = _fitting(answer.hits, term, scopes)
        genes = sorted({known[key] for hit in hits for key in _ids(hit) if key in known})
        if len(genes) == 1:
            return genes[0], "low" if scopes == ALIAS else "medium", f"{name}, {scopes}", genes, None
        if genes:
            return None, None, None, genes, f"{name} has it for {len(genes)} genes"
        unknown = sorted({key for hit in hits for key in _listed(hit.get("ensembl"), "gene")})
        if unknown:
            return None, None, None, unknown, f"{name} has it as {', '.join(unknown)}, not in the reference"
        return None, None, None, [], f"not known to {name}"


def _is_open(list_kind: str) -> pl.Expr:
    symbol = pl.col("normalised")
    of_mouse = (pl.col("id_kind") == "symbol") & (is_mouse_cased(symbol) | pl.lit(list_kind == "mouse_symbol"))
    unmapped = pl.col("gene_id").is_null() & pl.col("status").is_in(OPEN) & pl.col("scopes").is_not_null()
    return unmapped & symbol.str.contains(_ASKABLE) & ~of_mouse


def _fitting(hits: Hits, term: str, scopes: str) -> Hits:
    """Keep human hits that bear the term in the scopes: the service also matches parts, and other species."""
    wanted = term.casefold()
    return [
        hit
        for hit in hits
        if str(hit.get("taxid")) == str(HUMAN)
        and wanted in {value.casefold() for scope in scopes.split(",") for value in _listed(hit, *scope.split("."))}
    ]


def _listed(document: Any, *path: str) -> list[str]:
    """Read a field that may be absent, one value or several, on every level."""
    values = document if isinstance(document, list) else [document]
    for name in path:
        found = [value.get(name) for value in values if isinstance(value, dict)]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [str(value) for value in values if value is not None]


def _ids(hit: dict[str, Any]) -> list[str]:
    """Ids by which the reference may know the gene of a hit."""
    numbers = [f"HGNC:{number.removeprefix('HGNC:')}" for number in _listed(hit, "HGNC")]
    return [*_listed(hit, "ensembl", "gene"), *_listed(hit, "entrezgene"), *numbers]


def _genes_of_reference(answers: Iterable[Answer | None]) -> dict[str, str]:
    """Map the ids of all hits to genes."""
    keys = sorted({key for answer in answers if answer for hit in answer.hits for key in _ids(hit)})
    found = look_up_ids(pl.Series(keys, dtype=pl.String)).drop_nulls("gene_id")
    return dict(found.select("key", "gene_id").iter_rows())


def _merged(table: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    joined = table.join(told, on="row", how="left", suffix="_told", maintain_order="left")
    is_mapped = pl.col("gene_id_told").is_not_null()
    both = pl.concat_list("candidates", pl.col("candidates_told").fill_null([])).list.unique(maintain_order=True)
    note = pl.concat_str("note", "note_told", separator="; ", ignore_nulls=True)
    return joined.with_columns(
        status=pl.when(is_mapped).then(pl.lit(STATUS)).otherwise("status"),
        method=pl.when(is_mapped).then("method_told").otherwise("method"),
        confidence=pl.when(is_mapped).then("confidence_told").otherwise("confidence"),
        gene_id=pl.coalesce("gene_id_told", "gene_id"),
        gene_symbol=pl.coalesce("gene_symbol_told", "gene_symbol"),
        candidates=pl.when(is_mapped).then("candidates_told").otherwise(both),
        note=pl.when(note != "").then(note),
    )
