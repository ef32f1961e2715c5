"""``featurestore.duckdb``: the views of the latest snapshot in a file, for any DuckDB client.

It is derived and disposable: featurestore itself does not read it, and a failure to write it fails nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb

from featurestore.errors import WarehouseError
from featurestore.locks import publishing
from featurestore.snapshot import read_snapshot
from featurestore.views import DATABASE, attach_views, shown_snapshot
from ingest.release.staging import flush, staging


def refresh_database(root: Path) -> bool:
    """Write the file anew if it does not show the latest snapshot; say whether it was written.

    Where it cannot be written it stays as it was.
    """
    latest = read_snapshot(root)
    if latest.number == 0 or shown_snapshot(root, root / DATABASE) == latest.number:
        return False
    with suppress(duckdb.Error, WarehouseError), staging(root) as folder:
        path = folder / DATABASE
        with duckdb.connect(str(path)) as connection:
            connection.begin()
            attach_views(connection, root.resolve(), latest)
            connection.commit()
            connection.execute("checkpoint")
        flush(path)
        with publishing(root):
            if read_snapshot(root).number == latest.number and shown_snapshot(root, path) == latest.number:
                path.replace(root / DATABASE)
                return True
    return False
