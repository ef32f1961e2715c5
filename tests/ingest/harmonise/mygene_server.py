"""A local stand-in for mygene.info: same routes, replies and faults, documents of the same shape, 127.0.0.1 only.

Written after the handlers and settings of biothings.api and the documents of mygene.info's own tests: terms quoted or
separated by commas, spaces or plus signs; matching without regard to case; one object a hit, in the order of the
terms, ``notfound`` for a miss; fields that are absent, one value or a list; at most 1,000 terms and 10 hits a term.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SPECIES = {"human": 9606, "mouse": 10090, "rat": 10116, "zebrafish": 7955}
DEFAULT_SCOPES = "_id,entrezgene,ensembl.gene,retired"
DEFAULT_FIELDS = "name,symbol,taxid,entrezgene"
MOST_TERMS, MOST_HITS = 1000, 10

Document = dict[str, Any]

DOCUMENTS: list[Document] = [
    {"_id": "7157", "symbol": "TP53", "taxid": 9606, "entrezgene": "7157", "HGNC": "11998", "name": "tumor protein p53",
     "alias": ["BCC7", "LFS1", "P53", "NEWGUARDIAN"], "retired": 99900001, "ensembl": {"gene": "ENSG00000141510"}},
    {"_id": "1956", "symbol": "EGFRNEW", "taxid": 9606, "entrezgene": "1956", "HGNC": "3236", "alias": "NEWERBB",
     "ensembl": {"gene": "ENSG00000146648"}, "retired": [99900002, "99900003"]},
    # several Ensembl ids: the gene, and copies of it on alternate loci
    {"_id": "3105", "symbol": "HLANEW", "taxid": 9606, "entrezgene": "3105", "HGNC": "4931",
     "ensembl": [{"gene": "ENSG00000206503"}, {"gene": "ENSG00000223980"}, {"gene": "ENSG00000229215"}]},
    # one alias of two genes
    {"_id": "4609", "symbol": "MYC", "taxid": 9606, "entrezgene": "4609", "alias": ["SHAREDNEW"],
     "ensembl": {"gene": "ENSG00000136997"}},
    {"_id": "3845", "symbol": "KRAS", "taxid": 9606, "entrezgene": "3845", "alias": ["SHAREDNEW", "K-RAS"],
     "ensembl": {"gene": "ENSG00000133703"}},
    # a gene that only Ensembl has, newer than any reference
    {"_id": "ENSG00000999901", "symbol": "BRANDNEW1", "taxid": 9606, "ensembl": {"gene": "ENSG00000999901"}},
    # no Ensembl id, found by its Entrez id
    {"_id": "672", "symbol": "BRCANEW", "taxid": 9606, "entrezgene": "672"},
    # ids that contradict each other
    {"_id": "673", "symbol": "TORNNEW", "taxid": 9606, "entrezgene": "673", "ensembl": {"gene": "ENSG00000141510"}},
    # of mice; the symbol differs from a human one only in case
    {"_id": "22059", "symbol": "Newguardian2", "taxid": 10090, "entrezgene": "22059",
     "ensembl": {"gene": "ENSMUSG00000059552"}},
]  # fmt: skip
"""Documents with symbols and aliases that no human gene has, so that the reference leaves them open."""


@dataclass
class Fault:
    """What the next requests get instead of an answer: a status, or no answer in time, or bytes that are no JSON."""

    status: int = 0
    hangs: bool = False
    garbage: bool = False
    drop: bool = False
    times: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class MyGeneServer:
    """The stand-in, and what it was asked."""

    url: str = ""
    documents: list[Document] = field(default_factory=lambda: list(DOCUMENTS))
    build: str = "20261115"
    fault: Fault | None = None
    fault_after: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def queries(self) -> list[dict[str, str]]:
        """Forms of the requests to ``/query``."""
        return [form for path, form in self.requests if path == "/v3/query"]

    def terms(self) -> list[str]:
        """All terms that were asked for, in order."""
        return [term for form in self.queries for term in split_terms(form["q"])]

    def fail(self, *, after: int = 0, **fault: Any) -> None:
        """Fail from now on, once ``after`` more requests have succeeded; ``times`` often, else for good."""
        self.fault, self.fault_after = Fault(**fault), len(self.requests) + after

    def next_fault(self) -> Fault | None:
        if self.fault is None or len(self.requests) <= self.fault_after or self.fault.times == 0:
            return None
        self.fault.times -= 1
        return self.fault


def split_terms(text: str) -> list[str]:
    """Split a list of terms as the service does; quotes keep a term together."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|([^\s+|,"]+)', text)]


def values(document: Any, path: str) -> list[str]:
    """Every value of a dotted field, as text."""
    found = [document]
    for name in path.split("."):
        found = [item[name] for item in found if isinstance(item, dict) and name in item]
        found = [value for item in found for value in (item if isinstance(item, list) else [item])]
    return [str(value) for value in found]


def selected(document: Document, fields: str) -> Document:
    """Keep the fields that were asked for; of a dotted one, its part."""
    if fields in {"", "all"}:
        return dict(document)
    kept: Document = {}
    for path in fields.split(","):
        head, _, tail = path.partition(".")
        if head not in document:
            continue
        value = document[head]
        if tail:
            items = value if isinstance(value, list) else [value]
            parts = [{tail: item[tail]} for item in items if tail in item]
            value = parts if isinstance(value, list) else parts[0]
        kept[head] = value
    return dict(sorted(kept.items()))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        mine: MyGeneServer = self.server.mine
        parts = urlsplit(self.path)
        path = parts.path.rstrip("/")
        form = {key: found[-1] for key, found in parse_qs(parts.query).items()}
        mine.requests.append((path, form))
        if self.fails():
            return
        if path == "/v3/metadata":
            self.reply(200, {"build_date": "2026-11-15T00:00:00", "build_version": mine.build, "biothing_type": "gene"})
        elif path == "/v3/query":
            hits = [self.hit(document, form) for document in mine.documents if self.holds(document, form)]
            self.reply(200, {"took": 1, "total": len(hits), "max_score": 1.0, "hits": hits[:MOST_HITS]})
        elif match := re.fullmatch(r"/v3/gene/([^/]+)", path):
            found = [document for document in mine.documents if document["_id"] == match[1]]
            if found:
                self.reply(200, selected(found[0], "all") | {"_version": 1})
            else:
                self.reply(404, {"code": 404, "success": False, "error": "Not Found"})
        else:
            self.reply(404, {"code": 404, "success": False, "error": "Not Found"})

    def do_POST(self) -> None:
        mine: MyGeneServer = self.server.mine
        path = urlsplit(self.path).path.rstrip("/")
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = {key: found[-1] for key, found in parse_qs(body).items()}
        mine.requests.append((path, form))
        if self.fails():
            return
        key = {"/v3/query": "q", "/v3/gene": "ids"}.get(path)
        if key is None:
            self.reply(404, {"code": 404, "success": False, "error": "Not Found"})
            return
        terms = split_terms(form.get(key, ""))
        species = form.get("species", "all").split(",")
        unknown = [name for name in species if name != "all" and not name.isdigit() and name not in SPECIES]
        if not terms:
            self.bad_request(missing=key)
        elif len(terms) > MOST_TERMS:
            self.bad_request(keyword=key, max=MOST_TERMS, size=len(terms))
        elif unknown:
            self.bad_request(keyword="species", allowed=sorted(SPECIES))
        else:
            self.reply(200, [row for term in terms for row in self.rows(term, form)])

    def rows(self, term: str, form: dict[str, str]) -> list[Document]:
        scopes = form.get("scopes", DEFAULT_SCOPES).split(",")
        wanted = form.get("species", "all")
        taxa = None if wanted == "all" else {SPECIES.get(name) or int(name) for name in wanted.split(",")}
        hits = [
            {"query": term, **self.hit(document, form)}
            for document in self.server.mine.documents
            if (taxa is None or document["taxid"] in taxa)
            and any(term.casefold() == value.casefold() for scope in scopes for value in values(document, scope))
        ]
        return hits[: int(form.get("size", MOST_HITS))] or [{"query": term, "notfound": True}]

    def hit(self, document: Document, form: dict[str, str]) -> Document:
        return {"_id": document["_id"], "_score": 17.5, **selected(document, form.get("fields", DEFAULT_FIELDS))}

    def holds(self, document: Document, form: dict[str, str]) -> bool:
        text = form.get("q", "").casefold()
        return any(text == value.casefold() for scope in ("symbol", "alias") for value in values(document, scope))

    def fails(self) -> bool:
        fault = self.server.mine.next_fault()
        if fault is None:
            return False
        if fault.hangs:
            self.server.mine.stopped.wait()
        if fault.drop:
            self.close_connection = True
            return True
        if fault.garbage:
            self.send(200, b"<html>maintenance</html>", {"content-type": "text/html"})
        elif fault.status:
            message = {"code": fault.status, "success": False, "error": "fault"}
            self.send(fault.status, json.dumps(message).encode(), fault.headers)
        return bool(fault.status or fault.garbage)

    def bad_request(self, **facts: Any) -> None:
        self.reply(400, {"code": 400, "success": False, "error": "Bad Request", **facts})

    def reply(self, status: int, content: Any) -> None:
        self.send(status, json.dumps(content).encode(), {"content-type": "application/json; charset=UTF-8"})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):  # the client gave up waiting
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def mygene_server() -> Iterator[MyGeneServer]:
    """Run the stand-in for a while."""
    mine = MyGeneServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.mine = mine
    mine.url = f"http://127.0.0.1:{server.server_address[1]}/v3"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        mine.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
