"""mygene.info, asked in batches through its own client: time-outs, retries, and silence once it fails.

The client waits for ever and never tries again. Here a request ends after a time-out, overload and outages
(408, 429, 5xx, broken connections) are tried again after growing pauses, and when that fails the service counts as
down: nothing more is asked of it, and everybody is told why.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

URL_VARIABLE = "FEATURESTORE_MYGENE_URL"
URL = "https://mygene.info/v3"
FIELDS = "symbol,alias,entrezgene,retired,ensembl.gene,HGNC,taxid"
SPECIES = "human"
BATCH = 1000
"""Most terms of a request; the service refuses more."""

_PASSING = frozenset({408, 429})
_SERVER_ERROR = 500
_LONGEST_PAUSE = 30.0

Hits = list[dict[str, Any]]


class GeneService:
    """The service, as long as it answers.

    Parameters
    ----------
    url
        Where it is; ``FEATURESTORE_MYGENE_URL``, else mygene.info.
    timeout
        Of one request. Unit: seconds.
    attempts
        How often a request is made before the service counts as down.
    pause
        Before the second attempt, doubling from there, and between batches. Unit: seconds.
    """

    def __init__(self, url: str | None = None, *, timeout: float = 20.0, attempts: int = 4, pause: float = 1.0) -> None:
        self.url = (url or os.environ.get(URL_VARIABLE) or URL).rstrip("/")
        self.timeout = timeout
        self.attempts = attempts
        self.pause = pause
        self.down: str | None = None
        """Why nothing more is asked, once that is so."""
        self._made: Any = None
        self._build: str | None = None
        self._has_asked = False

    def ask(self, terms: Sequence[str], scopes: str) -> tuple[str, dict[str, Hits]]:
        """Look terms up.

        Parameters
        ----------
        terms
            Distinct terms.
        scopes
            The fields to find them in, joined by commas.

        Returns
        -------
        The build of the service's data, and the hits of every term that it answered, none for a miss. Terms that are
        not among them were not answered: the service is down.
        """
        found: dict[str, Hits] = {}
        for first in range(0, len(terms), BATCH):
            batch = list(terms[first : first + BATCH])
            build = self._build_version()
            reply = self._request("querymany", batch, scopes) if build is not None else None
            if reply is None:
                break
            asked = set(batch)
            for hit in reply:
                if hit.get("query") in asked:
                    hits = found.setdefault(str(hit["query"]), [])
                    hits += [] if hit.get("notfound") else [hit]
        return self._build or "", found

    def _build_version(self) -> str | None:
        if self._build is None:
            metadata = self._request("metadata")
            if metadata is not None:
                self._build = str(metadata.get("build_version", "unknown"))
        return self._build

    def _request(self, what: str, batch: Sequence[str] = (), scopes: str = "") -> Any:
        """Make one request until it succeeds, cannot, or has been made often enough; None once the service is down."""
        import httpx  # noqa: PLC0415, what is not asked needs no client

        for attempt in range(self.attempts):
            if self.down is not None:
                return None
            self._wait(attempt)
            try:
                return self._ask_once(what, batch, scopes)
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                reason, passes = f"it answered {status}", status in _PASSING or status >= _SERVER_ERROR
            except httpx.TimeoutException:
                reason, passes = f"no answer in {self.timeout:g} s", True
            except httpx.TransportError as error:
                reason, passes = str(error) or type(error).__name__, True
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, AttributeError, KeyError) as error:
                reason, passes = f"its answer cannot be read ({type(error).__name__})", False
            if not passes or attempt == self.attempts - 1:
                self.down = reason
        return None

    def _wait(self, attempt: int) -> None:
        if attempt > 0:
            time.sleep(min(self.pause * 2 ** (attempt - 1), _LONGEST_PAUSE))
        elif self._has_asked:
            time.sleep(self.pause)
        self._has_asked = True

    def _ask_once(self, what: str, batch: Sequence[str], scopes: str) -> Any:
        if what == "metadata":
            reply = self._client().metadata(verbose=False)
            return reply if isinstance(reply, dict) else {}
        return self._client().querymany(batch, scopes=scopes, fields=FIELDS, species=SPECIES, verbose=False)

    def _client(self) -> Any:
        """Return the service's own client, made to give up in time and to leave the pauses to this class."""
        if self._made is None:
            import httpx  # noqa: PLC0415
            from mygene import MyGeneInfo  # noqa: PLC0415, loads pandas

            client = MyGeneInfo()
            client.url = self.url
            client.delay = 0
            client.http_client = httpx.Client(timeout=self.timeout)
            client.http_client_setup = True
            self._made = client
        return self._made
