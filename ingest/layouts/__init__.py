"""Writers of small files in the exact layouts of published ones: those of the demonstration.

Every writer takes a matrix of rows (cells or signatures) by genes, and one table for each axis whose column ``index``
is its key; it writes what the publisher's own tool would.
"""

from ingest.layouts.gctx import write_gctx
from ingest.layouts.h5ad import write_h5ad, write_h5ad_rows
from ingest.layouts.replogle import replogle_genes, replogle_rows, write_replogle

__all__ = [
    "replogle_genes",
    "replogle_rows",
    "write_gctx",
    "write_h5ad",
    "write_h5ad_rows",
    "write_replogle",
]
