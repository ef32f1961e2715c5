"""A miniature of every dataset that a shipped spec describes: a few hundred rows under the published names.

Specs are tested on them, and so are drafts of ``featurestore inspect``.
"""

from __future__ import annotations

from layouts.collections import COLLECTIONS
from layouts.crispr_screens import CRISPR_SCREENS
from layouts.drug_screens import DRUG_SCREENS
from layouts.miniature import Miniature
from layouts.recent_screens import RECENT_SCREENS
from layouts.replogle_screens import REPLOGLE_SCREENS
from layouts.scperturb import SCPERTURB

MINIATURES: dict[str, Miniature] = (
    REPLOGLE_SCREENS | CRISPR_SCREENS | SCPERTURB | RECENT_SCREENS | DRUG_SCREENS | COLLECTIONS
)
"""By the name of the spec: writes the files that it names into a folder."""
