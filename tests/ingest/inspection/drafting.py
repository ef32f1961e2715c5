"""What tests of drafts do with one: write it, read its comments, and ingest it."""

from __future__ import annotations

from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset


def drafted(path):
    return draft_spec(inspect_file(path), path.parent)


def plain(text):
    """Join the lines of comments."""
    return " ".join(text.replace("#   ", "").split())


def ingested(folder, draft, name="draft"):
    """Ingest a draft as it is, or its text after an edit."""
    spec = folder / f"{name}.toml"
    spec.write_text(draft if isinstance(draft, str) else draft.text)
    return ingest_dataset(spec, folder / "warehouse")
