"""A chapter's pages → its panels in reading order.

``split`` is all the rest needs. How panels are found: ``page`` proposes several sets of boxes for a page (``cuts``)
and keeps the one with the best score, ``order`` puts them in reading order, ``strip`` reads vertical strips.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from mangavid.models import Box, Direction, Panel, Piece


class PageImage(msgspec.Struct, frozen=True):
    """A page that passed intake: its place in the chapter (from 0), size in pixels, and JPEG, PNG or WebP bytes."""

    index: int
    width: int
    height: int
    data: bytes


def split(pages: Sequence[PageImage], direction: Direction) -> tuple[Panel, ...]:
    """All panels of a chapter, in reading order; at least one a page (for ttb: of the strip).

    A page whose panels can't be told is one panel of confidence 0. Raises BadImage where a page does not decode.
    """
    if not pages:
        return ()
    if direction == "ttb":
        from mangavid.panels import strip

        return strip.split(pages)
    with ThreadPoolExecutor(min(len(pages), os.cpu_count() or 1, 4), thread_name_prefix="panels") as pool:
        found = list(pool.map(lambda page: _page(page, direction), pages))
    panels: list[Panel] = []
    for page, (boxes, sure) in zip(pages, found, strict=True):
        panels += [
            Panel(index=len(panels) + i, pieces=(Piece(page=page.index, box=box),), confidence=sure)
            for i, box in enumerate(boxes)
        ]
    return tuple(panels)


def looks_like_strip(pages: Sequence[PageImage]) -> bool:
    """Whether the pages are slices of a vertical strip. Raises BadImage where a page does not decode."""
    if not pages:
        return False
    from mangavid.panels import strip

    return strip.is_strip(pages)


def _page(page: PageImage, direction: Direction) -> tuple[list[Box], float]:
    """Boxes in page pixels, in reading order, and how sure they are."""
    from mangavid.panels import order, pixels
    from mangavid.panels import page as finder

    scale = min(1.0, finder.WORKING_SIDE / max(page.width, page.height))
    picture = pixels.grey(page.data, page.width, page.height, scale, f"page {page.index + 1}")
    proposal = finder.find(picture)
    height, width = picture.shape
    boxes = [_scaled(box, page.width / width, page.height / height, page) for box in proposal.boxes]
    ordered = order.reading_order(boxes, direction)
    return [boxes[i] for i in ordered], round(proposal.score, 3)


def _scaled(box: Box, across: float, down: float, page: PageImage) -> Box:
    left, top = min(int(box.x * across), page.width - 1), min(int(box.y * down), page.height - 1)
    right = min(page.width, max(left + 1, round(box.right * across)))
    bottom = min(page.height, max(top + 1, round(box.bottom * down)))
    return Box(left, top, right - left, bottom - top)
