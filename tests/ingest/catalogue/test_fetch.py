"""Downloads from servers that break off, hang, corrupt, redirect, refuse ranges and ask for logins."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import google_crc32c
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import DownloadError
from ingest.catalogue.address import downloadable, require_safe, shown
from ingest.catalogue.catalogue import RemoteFile, read_catalogue
from ingest.catalogue.fetch import Patience, fetch_dataset, fetch_file
from ingest.catalogue.file_hash import digest_of

CONTENT = bytes(range(256)) * 300
MD5 = hashlib.md5(CONTENT).hexdigest()
CRC32C = base64.b64encode(google_crc32c.Checksum(CONTENT).digest()).decode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(tries=3, connect=60.0, read=60.0, first_wait=0.0, longest_wait=0.05)
IMPATIENT = Patience(tries=20, connect=60.0, read=0.4, first_wait=0.0, longest_wait=0.05)


@dataclass
class Server:
    """What a server does: ``behave`` is called with the handler; requests are recorded."""

    behave: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
    content: bytes = CONTENT
    etag: str | None = '"v1"'
    address: str = ""
    ranges: list[str | None] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)

    def file(self, **known) -> RemoteFile:
        return RemoteFile(name="cells.h5ad", url=f"{self.address}/cells.h5ad", **known)


def send(handler, content, *, status=200, length=None, stop=None, headers=()):
    """Answer, and where ``stop`` is given break off after so many bytes."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content[:stop])


def serve_ranges(handler, server, *, stop=None, whole_for=None):
    """Answer as a file server does, by the range asked for."""
    content = server.content
    start = int(re.match(r"bytes=(\d+)-", handler.headers.get("Range", "bytes=0-"))[1])
    tag = [("ETag", server.etag)] if server.etag else []
    condition = handler.headers.get("If-Range")
    if condition is not None and condition != server.etag:
        send(handler, content, stop=stop, headers=tag)
    elif start >= len(content):
        send(handler, b"", status=416, headers=[("Content-Range", f"bytes */{len(content)}")])
    else:
        extent = ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        send(handler, content[start:], status=206, stop=stop, headers=[extent, *tag])


@pytest.fixture
def server():
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.ranges.append(self.headers.get("Range"))
            state.conditions.append(self.headers.get("If-Range"))
            (state.behave or (lambda handler: serve_ranges(handler, state)))(self)

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def fetch(server, folder, **known):
    return fetch_file(server.file(**known), folder, patience=QUICK)


def beside(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("known", "by"),
    [
        ({}, None),
        ({"bytes": len(CONTENT)}, None),
        ({"crc32c": CRC32C}, "crc32c"),
        ({"md5": MD5, "crc32c": CRC32C}, "md5"),
        ({"sha256": SHA256, "md5": MD5}, "sha256"),
    ],
)
def test_fetch_file__gives_the_bytes_and_leaves_nothing_else(server, tmp_path, known, by):
    fetched = fetch(server, tmp_path / "new", **known)
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.is_new
    assert fetched.n_bytes == len(CONTENT)
    assert fetched.checked_by == by
    assert beside(tmp_path / "new") == ["cells.h5ad"]


def test_fetch_file__takes_one_that_is_there(server, tmp_path):
    fetch(server, tmp_path, md5=MD5)
    server.ranges.clear()
    again = fetch(server, tmp_path, md5=MD5)
    assert not again.is_new
    assert server.ranges == []


def test_crc32c__is_written_as_google_storage_states_it():
    assert digest_of(google_crc32c.Checksum(b"123456789")) == base64.b64encode(0xE3069283.to_bytes(4, "big")).decode()


@pytest.mark.parametrize("known", [{"bytes": len(CONTENT)}, {"md5": MD5}, {"crc32c": CRC32C}])
def test_fetch_file__never_overwrites(server, tmp_path, known):
    (tmp_path / "cells.h5ad").write_bytes(b"mine")
    with pytest.raises(DownloadError, match="is not the one that was published"):
        fetch(server, tmp_path, **known)
    assert (tmp_path / "cells.h5ad").read_bytes() == b"mine"


@pytest.mark.parametrize("known", [{"md5": MD5}, {"crc32c": CRC32C}])
def test_fetch_file__resumes_where_the_connection_broke(server, tmp_path, known):
    server.behave = lambda handler: serve_ranges(handler, server, stop=20_000)
    advanced = []
    fetched = fetch_file(server.file(**known), tmp_path, advanced.append, QUICK)
    assert fetched.path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=0-", "bytes=20000-", "bytes=40000-", "bytes=60000-"]
    assert set(server.conditions[1:]) == {'"v1"'}
    assert sum(advanced) == len(CONTENT)


def test_fetch_file__resumes_in_another_session(server, tmp_path):
    server.behave = lambda handler: serve_ranges(handler, server, stop=0 if len(server.ranges) > 1 else 30_000)
    with pytest.raises(DownloadError, match=r"30,000 bytes that are there will be continued"):
        fetch(server, tmp_path)
    assert beside(tmp_path) == ["cells.h5ad.part", "cells.h5ad.part.version"]
    server.behave = None
    server.ranges.clear()
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=30000-"]


def test_fetch_file__starts_again_where_the_publisher_has_another_version(server, tmp_path):
    server.behave = lambda handler: serve_ranges(handler, server, stop=0 if len(server.ranges) > 1 else 30_000)
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    server.behave, server.content, server.etag = None, CONTENT[::-1], '"v2"'
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("known", [{}, {"md5": MD5}])
def test_fetch_file__trusts_a_part_of_unknown_version_only_with_a_hash(server, tmp_path, known):
    (tmp_path / "cells.h5ad.part").write_bytes(CONTENT[:1000])
    assert fetch(server, tmp_path, **known).path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-" if known else "bytes=0-"]


def test_fetch_file__takes_up_a_part_that_is_whole(server, tmp_path):
    (tmp_path / "cells.h5ad.part").write_bytes(CONTENT)
    (tmp_path / "cells.h5ad.part.version").write_text('"v1"')
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT


def test_fetch_file__drops_a_part_that_is_too_long(server, tmp_path):
    (tmp_path / "cells.h5ad.part").write_bytes(CONTENT + b"more")
    assert fetch(server, tmp_path, md5=MD5).path.read_bytes() == CONTENT


def test_fetch_file__starts_again_where_ranges_are_refused(server, tmp_path):
    def whole_file_every_time(handler):
        send(handler, CONTENT, stop=None if len(server.ranges) > 1 else 5000)

    server.behave = whole_file_every_time
    assert fetch(server, tmp_path, md5=MD5).path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=0-", "bytes=5000-"]


def test_fetch_file__gives_up_on_a_server_that_always_breaks_at_the_same_place(server, tmp_path):
    server.behave = lambda handler: send(handler, CONTENT, stop=5000)
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch(server, tmp_path, md5=MD5)
    assert len(server.ranges) == 1 + QUICK.tries - 1


def test_fetch_file__refuses_another_part_than_asked_for(server, tmp_path):
    (tmp_path / "cells.h5ad.part").write_bytes(CONTENT[:1000])
    extent = ("Content-Range", f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
    server.behave = lambda handler: send(handler, CONTENT[7:], status=206, headers=[extent])
    with pytest.raises(DownloadError, match="from byte 7, asked for was 1,000"):
        fetch(server, tmp_path, md5=MD5)


@pytest.mark.parametrize("known", [{"md5": MD5}, {"sha256": SHA256}, {"crc32c": CRC32C}])
def test_fetch_file__deletes_what_has_another_hash(server, tmp_path, known):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError) as raised:
        fetch(server, tmp_path, **known)
    (expected,) = known.values()
    assert expected in raised.value.expected
    if "crc32c" not in known:
        assert hashlib.new(*known, server.content).hexdigest() in raised.value.got
    assert beside(tmp_path) == []


def test_fetch_file__refuses_another_length_before_downloading(server, tmp_path):
    with pytest.raises(DownloadError, match=r"not as long as the catalogue says"):
        fetch(server, tmp_path, bytes=len(CONTENT) + 1)
    assert (tmp_path / "cells.h5ad.part").read_bytes() == b""


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "asks for a login"), (402, "payment"), (403, "not without a login"), (404, "not there"), (418, "give the")],
)
def test_fetch_file__says_what_a_refusal_means_and_does_not_insist(server, tmp_path, status, says):
    server.behave = lambda handler: send(handler, b"", status=status)
    with pytest.raises(DownloadError, match=says) as raised:
        fetch(server, tmp_path)
    assert str(status) in raised.value.got
    assert raised.value.do
    assert len(server.ranges) == 1


def test_fetch_file__refuses_a_login_page(server, tmp_path):
    page = [("Content-Type", "text/html; charset=utf-8")]
    server.behave = lambda handler: send(handler, b"<html>log in</html>", headers=page)
    with pytest.raises(DownloadError, match="web page instead of the file"):
        fetch(server, tmp_path)


def test_fetch_file__refuses_an_encoded_answer(server, tmp_path):
    server.behave = lambda handler: send(handler, CONTENT, headers=[("Content-Encoding", "br")])
    with pytest.raises(DownloadError, match="another encoding"):
        fetch(server, tmp_path)


def test_fetch_file__tries_again_after_a_passing_failure(server, tmp_path):
    def busy_at_first(handler):
        if len(server.ranges) < 3:
            send(handler, b"", status=(500, 429)[len(server.ranges) - 1], headers=[("Retry-After", "0")])
        else:
            serve_ranges(handler, server)

    server.behave = busy_at_first
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert len(server.ranges) == 3


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", ""])
def test_fetch_file__gives_up_on_a_server_that_stays_down(server, tmp_path, after):
    server.behave = lambda handler: send(handler, b"", status=503, headers=[("Retry-After", after)])
    with pytest.raises(DownloadError, match="answers 503, 3 times"):
        fetch(server, tmp_path)
    assert len(server.ranges) == QUICK.tries


def test_fetch_file__does_not_wait_for_a_server_that_hangs(server, tmp_path):
    released = threading.Event()

    def hang_once(handler):
        if len(server.ranges) == 1:
            send(handler, CONTENT, stop=10_000)
            handler.wfile.flush()
            released.wait(60)
        else:
            serve_ranges(handler, server)

    server.behave = hang_once
    try:
        fetched = fetch_file(server.file(md5=MD5), tmp_path, patience=IMPATIENT)
    finally:
        released.set()
    assert fetched.path.read_bytes() == CONTENT
    assert len(server.ranges) > 1


def test_fetch_file__says_so_when_nothing_answers(tmp_path):
    file = RemoteFile(name="a.h5ad", url="http://127.0.0.1:9/a.h5ad")
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch_file(file, tmp_path, patience=QUICK)


def test_fetch_file__follows_redirects_and_shows_no_signature(server, tmp_path, caplog):
    def redirect(handler):
        if handler.path == "/cells.h5ad":
            send(handler, b"", status=302, headers=[("Location", f"{server.address}/there?signature=SECRET")])
        elif handler.path.startswith("/there"):
            send(handler, b"", status=403)

    server.behave = redirect
    with caplog.at_level("DEBUG"), pytest.raises(DownloadError) as raised:
        fetch(server, tmp_path)
    assert raised.value.where == f"{server.address}/there"
    assert "SECRET" not in str(raised.value)
    assert not [record for record in caplog.records if "SECRET" in record.getMessage() and record.name == "httpx"]


def test_fetch_file__follows_redirects_to_the_file(server, tmp_path):
    def redirect(handler):
        if handler.path == "/cells.h5ad":
            send(handler, b"", status=302, headers=[("Location", "/there?signature=SECRET")])
        else:
            serve_ranges(handler, server, stop=50_000)

    server.behave = redirect
    assert fetch(server, tmp_path, sha256=SHA256).path.read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["http://example.org/file", "ftp://127.0.0.1/file", "file:///etc/passwd"])
def test_fetch_file__follows_no_redirect_to_an_unsafe_address(server, tmp_path, target):
    server.behave = lambda handler: send(handler, b"", status=301, headers=[("Location", target)])
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    assert beside(tmp_path) in ([], ["cells.h5ad.part"])
    assert not (tmp_path / "cells.h5ad").exists()


def test_fetch_file__leaves_a_circle_of_redirects(server, tmp_path):
    server.behave = lambda handler: send(handler, b"", status=301, headers=[("Location", "/cells.h5ad")])
    with pytest.raises(DownloadError, match="leads in a circle"):
        fetch(server, tmp_path)


def test_fetch_file__leaves_a_file_to_the_process_that_downloads_it(server, tmp_path):
    def ask_again(handler):
        with pytest.raises(DownloadError, match="Another process"):
            fetch(server, tmp_path)
        serve_ranges(handler, server)

    server.behave = ask_again
    assert fetch(server, tmp_path).is_new


def test_fetch_file__refuses_what_does_not_fit_the_disk(server, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(DownloadError, match="no room"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file://localhost/etc/passwd"])
def test_require_safe__refuses(url):
    with pytest.raises(DownloadError, match="not safe"):
        require_safe(url)


def test_require_safe__lets_no_other_machine_point_here():
    require_safe("http://127.0.0.1:80/a", origin="http://localhost/b")
    with pytest.raises(DownloadError):
        require_safe("http://127.0.0.1:80/a", origin="https://example.org/b")
    with pytest.raises(DownloadError):
        require_safe("https://localhost/a", origin="https://example.org/b")


def test_downloadable__public_storage_has_addresses_of_https():
    for url in ("gs://bucket/a b/c.h5ad", "s3://bucket/c.h5ad", "https://host.org/c.h5ad"):
        require_safe(downloadable(url).replace(" ", "%20"))
    assert downloadable("http://127.0.0.1:80/a") == "http://127.0.0.1:80/a"


def test_shown__has_no_secrets():
    assert shown("https://me:word@host.org:8080/a?token=1#x") == "https://host.org:8080/a"


CATALOGUE = """
[[source]]
name = "Here"
citation = "nobody"
licence = "CC0-1.0"
url = "https://example.org/page"

[[source.dataset]]
id = "cells"
title = "Cells"
assay = "perturb_seq"
format = "h5ad"
files = [
  {{ name = "cells.h5ad", url = "{address}/cells.h5ad", md5 = "{md5}" }},
  {{ name = "shard-{{part:02d}}.zip", url = "{address}/shard-{{part:02d}}.zip", parts = 3 }},
]

[[source.dataset]]
id = "payers"
title = "Cells for whom pays"
assay = "perturb_seq"
format = "h5ad"
access = "requester_pays"
files = [{{ name = "a.h5ad", url = "gs://bucket/a.h5ad", crc32c = "{crc32c}" }}]

[[source.dataset]]
id = "members"
title = "Cells for members"
assay = "perturb_seq"
format = "h5ad"
access = "login"

[[source.dataset]]
id = "nowhere"
title = "Cells in R"
assay = "perturb_seq"
format = "rds"
note = "export them"
"""


@pytest.fixture
def run(server, tmp_path):
    (tmp_path / "catalogue.toml").write_text(CATALOGUE.format(address=server.address, md5=MD5, crc32c=CRC32C))

    def run(*arguments):
        command = ["fetch", *arguments, "--catalogue", str(tmp_path / "catalogue.toml"), "-o", str(tmp_path / "out")]
        return CliRunner().invoke(featurestore, command)

    return run


def test_fetch__downloads_all_files_and_says_how_each_was_checked(run, tmp_path):
    ran = run("cells")
    assert ran.exit_code == 0, ran.output
    assert beside(tmp_path / "out") == ["cells.h5ad", "shard-00.zip", "shard-01.zip", "shard-02.zip"]
    assert "76,800 bytes, md5 as published" in ran.stdout
    assert "no hash is published" in ran.stdout
    assert "unpack" in ran.stdout
    assert "there already" in run("cells").stdout


def test_fetch__takes_some_files_only(run, tmp_path):
    assert run("cells", "--only", "shard-0[01]*").exit_code == 0
    assert beside(tmp_path / "out") == ["shard-00.zip", "shard-01.zip"]


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ("payers", "gcloud storage cp --billing-project=YOUR_PROJECT gs://bucket/a.h5ad"),
        ("members", "comes after a login"),
        ("nowhere", "export them"),
        ("cell", "did you mean 'cells'"),
    ],
)
def test_fetch__says_what_to_do_where_a_program_gets_nothing(run, dataset, says):
    ran = run(dataset)
    assert isinstance(ran.exception, Exception)
    assert says in str(ran.exception)


def test_fetch__says_where_to_get_what_no_program_is_given(tmp_path):
    by_hand = [entry for entry in read_catalogue().values() if entry.access != "open" or not entry.files]
    assert len(by_hand) > 20
    for entry in by_hand:
        with pytest.raises(DownloadError) as raised:
            list(fetch_dataset(entry, tmp_path))
        assert entry.url in raised.value.do or "gcloud storage cp" in raised.value.do
        assert entry.note in raised.value.got


def test_fetch__checks_what_a_payer_has_copied(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.h5ad").write_bytes(CONTENT)
    assert "crc32c as published; there already" in run("payers").stdout
    (tmp_path / "out" / "a.h5ad").write_bytes(CONTENT[:-1])
    assert "is not the one that was published" in str(run("payers").exception)


def test_fetch__says_how_to_export_objects_of_r(run, tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(
        path.read_text().replace('format = "h5ad"\nfiles = [\n', 'format = "rds"\nnote = "export it"\nfiles = [\n')
    )
    assert "Next: export it" in run("cells").stderr


def test_fetch__names_the_files_where_no_name_matches(run):
    assert "known: 'cells.h5ad', 'shard-00.zip'" in str(run("cells", "--only", "xyz").exception)
