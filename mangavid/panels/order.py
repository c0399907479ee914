"""The order panels are read in, from their boxes alone.

The rule is Kovanen's tree as measured on OpenMantra: divide the page by a horizontal cut where one can be made, else
by a vertical one, and go on inside each part. A cut may bite a little off a panel, since frames overlap and slant.
"""

from __future__ import annotations

from collections.abc import Sequence

from mangavid.models import Box, Direction

MAX_BITE = 0.25
"""The share of a panel's height (or width) that may lie on the far side of a cut."""


def reading_order(boxes: Sequence[Box], direction: Direction) -> list[int]:
    """Positions of ``boxes`` in reading order. Strips (ttb) are read from the top, side by side from the left."""
    return _order(list(range(len(boxes))), boxes, from_right=direction == "rtl")


def _order(items: list[int], boxes: Sequence[Box], *, from_right: bool) -> list[int]:
    if len(items) < 2:
        return items
    rows = {i: (boxes[i].y, boxes[i].bottom) for i in items}
    if parts := _divide(items, rows):
        first, second = parts
    elif parts := _divide(items, {i: (boxes[i].x, boxes[i].right) for i in items}):
        first, second = reversed(parts) if from_right else parts
    else:
        return sorted(items, key=lambda i: (boxes[i].y, -boxes[i].right if from_right else boxes[i].x))
    return _order(first, boxes, from_right=from_right) + _order(second, boxes, from_right=from_right)


def _divide(items: list[int], spans: dict[int, tuple[int, int]]) -> tuple[list[int], list[int]] | None:
    """The two sides of the cut that bites least, or None where every cut bites too much."""
    best: tuple[float, list[int], list[int]] | None = None
    for cut in sorted({edge for span in spans.values() for edge in span}):
        before: list[int] = []
        after: list[int] = []
        worst = total = 0.0
        for i in items:
            start, end = spans[i]
            over = min(max(cut - start, 0), max(end - cut, 0)) / (end - start)
            worst, total = max(worst, over), total + over
            (before if cut - start > end - cut else after).append(i)
        if before and after and worst <= MAX_BITE and (best is None or total < best[0]):
            best = (total, before, after)
    return best and best[1:]
