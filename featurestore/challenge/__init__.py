"""The Virtual Cell Challenges: predicted cells scored against measured ones, and predictions written as cells.

Two years, two protocols. 2025 (cell-eval) takes log-normalised cells and measures a prediction from its own controls;
2026 (cell-eval2) takes counts, sums them, and measures both sides from the real controls.
"""

from featurestore.challenge.cells import Cells, as_cells, read_cells
from featurestore.challenge.score import CellScores, score_cells
from featurestore.challenge.submission import emit_cells, write_vcc

__all__ = ["CellScores", "Cells", "as_cells", "emit_cells", "read_cells", "score_cells", "write_vcc"]
