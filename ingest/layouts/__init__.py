"""Writers of small files in the exact layouts of published ones, for tests and demonstrations.

Every writer takes a matrix of rows (cells or signatures) by genes, and one table for each axis whose column ``index``
is its key; it writes what the publisher's own tool would.
"""

from ingest.layouts.gct import write_gct
from ingest.layouts.gctx import write_gctx
from ingest.layouts.h5ad import write_h5ad, write_h5ad_rows
from ingest.layouts.mtx import write_10x, write_mtx, write_scperturb
from ingest.layouts.replogle import replogle_genes, replogle_rows, write_replogle
from ingest.layouts.tenx import write_10x_h5

__all__ = [
    "replogle_genes",
    "replogle_rows",
    "write_10x",
    "write_10x_h5",
    "write_gct",
    "write_gctx",
    "write_h5ad",
    "write_h5ad_rows",
    "write_mtx",
    "write_replogle",
    "write_scperturb",
]
