"""``mangavid run``: make videos, and show how it goes."""

from __future__ import annotations

import typer


def run(ctx: typer.Context) -> None:
    """Make videos of chapters, or of the next ones in the library."""
