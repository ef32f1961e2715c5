"""Small objects that R 4 saved, byte for byte: ``saveRDS`` of each, and ``save`` of three.

The matrix is ``TP53, MYC, ABL1`` by ``c1, c2`` with 1, 2 and 3 at (TP53, c1), (ABL1, c1), (MYC, c2); the results are a
data frame of ``target, gene, log2FoldChange, padj``.
"""

from __future__ import annotations

import base64
from pathlib import Path

DGC_MATRIX = (
    "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC0YGJklGYCiQAFGBhYGThCdCSR4waohACKJpqgAiyJmNEXMLpm5UGVQaRCNooQDqCQvMT"
    "e1GMgWhqoTgLgULM8SEmBqDDPON9IZJuzo5GMIVcoEFWNKNoSzjNCdWwEk+EBm2H+AuNcB6m4HDigDVQN7WmJySX4RzFno0qzJOYnFQEkmASRB"
    "zpR0Z9/EkqLMCnTDChKTsxPTU6EOhglz6bnn5Ccl5rjmlQF5/0AYAF4dimqmAQAA"
)
RESULTS = (
    "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2AYsJADgsQCwAxE5DFCVLoG+kMZbKEBJgao0mzODr5GKKwGRj4QPL2XxjAoP4DiGRfBB"
    "NnXJonf+jH50j7BwxQwMIEJBihZrDmJeamFkMtYYEKspUkFqWnlsCsSU/NS4Wy+XLy043c8nNSnDMS89JhoiwFiSlZ6AYn5yQWwwyGCXKlJJYk"
    "6qUVAe1EU85ZlF+uB3MLL8jhDUDi/////4DUPwDFZN2YQwEAAA=="
)
REPEATED_COLUMNS = (
    "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2AYsJADhMQv4PSjAwsDJxAmi85P7cgMbkkPjOvpDi1EE2WJSmxOBUqxgsWh9D/QDpBVj"
    "kwQID9B1QaqgZqG+N/CM30nxizHDiwmcWC7C7WvMTc1GIgQwBsIESQMRHBQFOenJNYDFMOE+RKSSxJ1EsrApqEppyzKL9cD2YDyIlMDUDi////"
    "IKf+AwAQKhlQZAEAAA=="
)
OF_A_PACKAGE = (
    "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC0YGJklGYCiQAFGBhYGTiDNllhcnFhZzMDAJAwWZWDgA9H2HxigAEU1a15ibipQMYMAki"
    "BzkJ8jkPqHrjY5B2g20GBktWzBqaVFiSVoStkLEpOzE9NT0Qzm0nPPyU9KzHHNK4OYz/APAInF9d/ZAAAA"
)
UNNAMED = (
    "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC0YGJklGYCiQAFGBhYGThCdCSR4waohACKJpqgAiyJmNEXMLpm5UGVQaRCNooQDqCQvMT"
    "e1GMgWhqr7B8QCYDZEDVOyIZxlhO6OCiDBBzLc/gPEIQ5QBzlwQBmoGtjTEpNL8otg9qFLsybnJBYDJZkEkAQ5U9KdfRNLijIr0A0rSEzOTkxP"
    "hToYJsyl556Tn5SY45pXBvXOPwAltAOvfwEAAA=="
)
SEVERAL = (
    "/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4AOfAWpdACkRB1RoEeRuUsqgM8UkXrtrnNeLUzcP1dKbshUqBwT4yAjz6ecVlRE6Ssx5+bOS3881bG"
    "qXUyXLkxCBr3w87g1KeZjzQb6+jGEfzZPSWhqEObOg/rGKZgZjdnP88zIHhheJeLTfprxeIj3sCFHhuIYddQr6SxIqCodxEB/iVSWF4kzME/bx"
    "vJo3u4xQPUe/bgy5lj+pra0r9kLOI47aYEepaadRoArQmVrIj6KpCSDij1Q4o/FYBkxYjscqhaFeoKG+RtMxPeObkksiP6smTctrGbgqb23Scj"
    "K+oAuOarZqOyucQ/nj+E7zgRk2rk/u/vEJ0ZXCay/tQ+wJJ+ecrI04cPdhWIIvcyuP3lSBnMx7qlA5sEQyFO+ZTlEwGw0cBuEaYVdnqtw3P5fL"
    "zM+TtXq0eoP2AG5HaaX04dDFdEq+l2NHEELPwjKJOYgKsP0hAzDRMrqbzFT9hGVJGsr3VLnKDSq3/5X6IwwAAAAAmWJ7KQABggOgBwAAXhSpnz"
    "4wDYsCAAAAAAFZWg=="
)


def write_r(path: Path, saved: str = DGC_MATRIX) -> Path:
    """Write what R saved."""
    path.write_bytes(base64.b64decode(saved))
    return path
