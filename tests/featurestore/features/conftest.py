"""Tests of features share ``feature_specs``, which lies beside this."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
