"""The panels of a vertical strip: its slices are one long picture, parted by gaps of an even colour.

Slices cut through panels wherever they like, so the strip is put together again (small, in grey) before it is read;
a panel then has a piece for each slice it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253  (imported inside functions by the rest of ``panels``)

from mangavid.models import Box, Panel, Piece
from mangavid.panels import pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mangavid.panels import PageImage

WIDTH = 320
"""Working width: a strip of 1,600 x 60,000 pixels becomes 320 x 12,000, 4 MB."""
EVEN = 14
"""A row is part of a gap where its greys differ by no more than this."""
MIN_GAP = 0.02
"""Height of the smallest gap, in widths of the strip."""
MIN_PANEL = 0.12
"""Less height than this, in widths, is no panel: a balloon or a sound between panels joins the nearer one."""
GOES_ON = 0.6
"""Correlation of the last row of a slice with the first of the next where a picture goes on across the cut."""
MAX_HEIGHT = 3.0
"""A panel taller than this, in widths, is cut at its quietest rows."""


def split(pages: Sequence[PageImage]) -> tuple[Panel, ...]:
    """Panels from the top of the first slice to the bottom of the last. Raises BadImage."""
    slices = [pixels.grey(p.data, p.width, p.height, min(1.0, WIDTH / p.width), f"page {p.index + 1}") for p in pages]
    width = max(s.shape[1] for s in slices)
    strip = np.concatenate([_as_wide(s, width) for s in slices])
    starts = np.cumsum([0, *(len(s) for s in slices)])
    panels: list[Panel] = []
    for top, bottom, sure in _segments(strip):
        left, right = _sides(strip, top, bottom)
        pieces = []
        for page, start, end in zip(pages, starts, starts[1:], strict=False):
            a, b = max(top, int(start)), min(bottom, int(end))
            if a < b and (box := _box(page, (left, right), (a - int(start), b - int(start)), width, int(end - start))):
                pieces.append(Piece(page=page.index, box=box))
        if pieces:
            panels.append(Panel(index=len(panels), pieces=tuple(pieces), confidence=sure))
    return tuple(panels)


def _as_wide(slice_: pixels.Grey, width: int) -> pixels.Grey:
    """Narrower slices stand in the middle, their edge columns drawn out."""
    missing = width - slice_.shape[1]
    if not missing:
        return slice_
    return np.pad(slice_, ((0, 0), (missing // 2, missing - missing // 2)), mode="edge")


def _segments(strip: pixels.Grey) -> list[tuple[int, int, float]]:
    """(top, bottom, how sure) of each panel, in working rows."""
    height, width = strip.shape
    gaps = _gaps(strip, max(3, round(MIN_GAP * width)))
    spans: list[tuple[int, int]] = []
    at = 0
    for a, b in [*gaps, (height, height)]:
        if a > at:
            spans.append((at, a))
        at = b
    spans = _joined(spans, round(MIN_PANEL * width))
    if not spans:
        return [(0, height, 0.0)]
    found: list[tuple[int, int, float]] = []
    for a, b in spans:
        cuts = [a, *_quiet_rows(strip[a:b], a), b]
        sure = 0.9 if len(cuts) == 2 else 0.5
        found += [(c, d, sure) for c, d in pairwise(cuts)]
    return found


def _gaps(strip: pixels.Grey, least: int) -> list[tuple[int, int]]:
    """Runs of even rows of one colour: the strip's usual gap colour, else the longest run of those that touch.

    Even rows of another colour beside a gap (a flat sky, a frame) belong to the panel.
    """
    levels = np.median(strip, axis=1)
    even = _spread(strip, 1) <= EVEN
    if not even.any():
        return []
    usual = np.bincount(levels[even].astype(int), minlength=256).argmax()
    found: list[tuple[int, int]] = []
    for start, end in _runs(even):
        jumps = start + 1 + np.flatnonzero(np.abs(np.diff(levels[start:end])) > EVEN)
        edges = [start, *(int(jump) for jump in jumps), end]
        runs = [(a, b) for a, b in pairwise(edges) if b - a >= least]
        of_usual = [(a, b) for a, b in runs if abs(np.median(levels[a:b]) - usual) <= EVEN]
        found += of_usual or sorted(runs, key=lambda run: run[0] - run[1])[:1]
    return found


def _joined(spans: list[tuple[int, int]], least: int) -> list[tuple[int, int]]:
    """Spans too small to be panels join the nearer neighbour."""
    spans = list(spans)
    while len(spans) > 1:
        i = min(range(len(spans)), key=lambda k: spans[k][1] - spans[k][0])
        if spans[i][1] - spans[i][0] >= least:
            break
        before = spans[i][0] - spans[i - 1][1] if i > 0 else None
        after = spans[i + 1][0] - spans[i][1] if i + 1 < len(spans) else None
        j = i - 1 if after is None or (before is not None and before <= after) else i
        spans[j : j + 2] = [(spans[j][0], spans[j + 1][1])]
    return spans


def _quiet_rows(panel: pixels.Grey, top: int) -> list[int]:
    """Where to cut a panel that is too tall: in equal parts, each cut moved to the quietest row nearby."""
    height, width = panel.shape
    parts = int(np.ceil(height / (MAX_HEIGHT * width)))
    if parts < 2:
        return []
    busy = np.abs(np.diff(panel.astype(np.int16), axis=1)).mean(axis=1)
    busy = np.convolve(busy, np.ones(5) / 5, "same")
    reach = height // parts // 4
    cuts = []
    for part in range(1, parts):
        middle = part * height // parts
        near = busy[middle - reach : middle + reach]
        cuts.append(top + middle - reach + int(near.argmin()))
    return cuts


def _sides(strip: pixels.Grey, top: int, bottom: int) -> tuple[int, int]:
    """Left and right (exclusive) of what differs from the gap above or below."""
    width = strip.shape[1]
    panel = strip[top:bottom]
    gap = strip[top - 1] if top > 0 else strip[bottom] if bottom < len(strip) else None
    if gap is None:
        return 0, width
    off = np.abs(np.median(panel, axis=0) - np.median(gap)) > EVEN
    columns = np.flatnonzero(off | (_spread(panel, 0) > 2 * EVEN))
    if not len(columns) or columns[-1] - columns[0] < 0.3 * width:
        return 0, width
    return int(columns[0]), int(columns[-1]) + 1


def _spread(picture: pixels.Grey, axis: int) -> NDArray[np.int16]:
    """Range of greys along an axis, leaving out the lightest and the darkest pixel (a speck)."""
    if picture.shape[axis] < 4:
        return np.asarray(np.ptp(picture.astype(np.int16), axis=axis))
    ordered = np.partition(picture.astype(np.int16), (1, -2), axis=axis)
    return np.asarray(np.take(ordered, -2, axis=axis) - np.take(ordered, 1, axis=axis))


def _box(page: PageImage, sides: tuple[int, int], rows: tuple[int, int], width: int, height: int) -> Box | None:
    """Working columns of the strip and rows of the slice, as whole pixels of the page."""
    shown = round(page.width * min(1.0, WIDTH / page.width))
    shift = (width - shown) // 2
    left = max(0, round((sides[0] - shift) * page.width / shown))
    right = min(page.width, round((sides[1] - shift) * page.width / shown))
    top = round(rows[0] * page.height / height)
    bottom = min(page.height, round(rows[1] * page.height / height))
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _smooth(row: pixels.Grey) -> NDArray[np.float64]:
    """A slanted line moves sideways from one row to the next; smoothed rows still correlate."""
    return np.asarray(np.convolve(np.pad(row, 3, mode="edge"), np.ones(7) / 7, "valid"))


def is_strip(pages: Sequence[PageImage]) -> bool:
    """Tall pages; or pages of one width whose pictures go on from the bottom of one to the top of the next."""
    tall = sum(p.height > 2.2 * p.width for p in pages)
    if tall * 2 > len(pages):
        return True
    # The last slice of a strip may be of any height, and a chapter may be several strips.
    wide = sum(p.width > 1.2 * p.height for p in pages[:-1])
    if len(pages) < 3 or len({p.width for p in pages}) > 1 or wide * 4 > len(pages):
        return False
    rims = []
    for p in pages:
        small = pixels.grey(p.data, p.width, p.height, min(1.0, WIDTH / p.width), f"page {p.index + 1}")
        rims.append((_smooth(small[0]), _smooth(small[-1])))
    drawn, going_on = 0, 0
    for (_, bottom), (top, _) in pairwise(rims):
        if min(np.ptp(bottom), np.ptp(top)) < 4 * EVEN:
            continue
        drawn += 1
        going_on += bool(np.corrcoef(bottom, top)[0, 1] > GOES_ON)
    return going_on >= 2 and going_on >= 0.7 * drawn and drawn * 4 >= len(pages)
