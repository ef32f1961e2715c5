"""``featurestore.duckdb``: the views of the latest snapshot in a file, for any DuckDB client.

It is derived and disposable: featurestore itself does not read it, and a failure to write it fails nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb

from featurestore.errors import WarehouseError
from featurestore.query.compound_identity import fill_compound_identity
from featurestore.query.views import DATABASE, attach_views, comment_views, shown_snapshot
from featurestore.storage.locks import publishing
from featurestore.storage.snapshot import Snapshot, read_snapshot
from featurestore.storage.whole import flush
from ingest.release.staging import staging


def refresh_database(root: Path) -> bool:
    """Write the file anew if it does not show the latest snapshot; say whether it was written.

    Where it cannot be written it stays as it was.
    """
    latest = read_snapshot(root)
    if latest.number == 0 or shown_snapshot(root, root / DATABASE) == latest.number:
        return False
    with suppress(duckdb.Error, WarehouseError), staging(root) as folder:
        path = folder / DATABASE
        if _write(path, root.resolve(), latest) != latest.number:
            return False
        flush(path)
        with publishing(root):
            if read_snapshot(root).number == latest.number:
                path.replace(root / DATABASE)
                return True
    return False


def _write(path: Path, root: Path, snapshot: Snapshot) -> int | None:
    """Write the views of a snapshot into a new file, and return which one it shows when it is opened again."""
    place = str(path).replace("'", "''")
    with duckdb.connect() as connection:  # an instance takes longer to start than a file to attach: one for both
        connection.execute(f"attach '{place}' as written")
        connection.execute("use written")
        connection.begin()
        attach_views(connection, root, snapshot)
        comment_views(connection)
        fill_compound_identity(connection)
        connection.commit()
        connection.execute("use memory")
        connection.execute("detach written")
        connection.execute(f"attach '{place}' as written (read_only)")
        row = connection.execute("select snapshot from written.release.snapshot").fetchone()
    return int(row[0]) if row else None
