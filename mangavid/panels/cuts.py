"""Panels of a page by cutting it along its gutters, again and again: the classic XY-cut, with two additions.

A gutter may be slanted; and a gutter that a figure or a balloon crosses still counts where the frames on its two sides
show (a long straight edge each). Pictures here are masks at working size: ``content`` is 1 where a pixel is not gutter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2  # noqa: TID253  (imported inside functions by the rest of ``panels``)
import numpy as np  # noqa: TID253

from mangavid.models import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.uint8]
    Profile = NDArray[np.float64]

CLEAR = 0.006
"""The share of a line across a region that may be specks and still count as gutter."""
MIN_GUTTER = 4
"""Working pixels; 0.4 % of the longer side of a page."""
MIN_FRAMED_GUTTER = 2
MAX_GUTTER = 0.07
"""Wider ones, as a share of the page's shorter side, are clear somewhere or no gutter."""
MIN_SIDE = 0.05
"""A part thinner than this share of the page's shorter side is not cut off."""
CROSSED = 0.5
"""The share of a gutter that may be crossed where frames show on both sides of it."""
FRAME = 0.55
"""The share of a gutter's length along which a frame's straight edge must show on either side."""
LEAST_FRAMED = 0.25
"""The share of the gutter's length that has something on either side."""
ONE_FRAME = 0.7
BARELY_CROSSED = 0.12
"""Where hardly anything crosses a gutter, a frame on one side of it is enough: the other panel may have none."""
SOLID = 0.9
"""The share of its convex hull that a panel's outline fills at least."""
SLOPES = (0.04, -0.04, 0.08, -0.08, 0.12, -0.12, 0.17, -0.17, 0.23, -0.23, 0.3, -0.3)


@dataclass(frozen=True, order=True)
class Band:
    """A gutter across a mask: rows ``top`` to ``bottom`` (exclusive) at its left end, sloping down to the right."""

    score: float
    top: int
    bottom: int
    slope: float = 0.0


@dataclass(frozen=True)
class Region:
    """A part of the page: where its top-left corner lies, and its content (others' content blanked)."""

    x: int
    y: int
    content: Mask

    def trimmed(self) -> Region | None:
        """Without empty margins; None where nothing is left."""
        rows = np.flatnonzero(_share(self.content) > CLEAR)
        columns = np.flatnonzero(_share(self.content.T) > CLEAR)
        if not len(rows) or not len(columns):
            return None
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        return Region(self.x + left, self.y + top, self.content[top:bottom, left:right])

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.content.shape[1], self.content.shape[0])


def leaves(content: Mask, *, crossed: bool) -> list[Region]:
    """Cut a whole page as far as its gutters go."""
    smallest = max(8, round(MIN_SIDE * min(content.shape)))
    done: list[Region] = []
    waiting = [Region(0, 0, content)]
    while waiting:
        region = waiting.pop().trimmed()
        if region is None:
            continue
        parts = _cut(region, smallest, crossed=crossed)
        if len(parts) > 1:
            waiting += parts
        else:
            done.append(region)
    return done


def _cut(region: Region, smallest: int, *, crossed: bool) -> list[Region]:
    """The parts along the plainest kind of gutter there is, or none."""
    content = region.content
    for across in (False, True):
        if bands := _clear_bands(content.T if across else content, smallest):
            return _split(region, bands, across=across)
    if crossed and (parts := _along_best(region, smallest, _framed_bands)):
        return parts
    return _islands(region, smallest) or _along_best(region, smallest, _slanted_bands)


def _along_best(region: Region, smallest: int, find: Callable[[Mask, int], list[Band]]) -> list[Region]:
    """The parts on the two sides of the best band of a kind, or none. ``find`` gets masks with bands along rows."""
    found = []
    for across in (False, True):
        turned = np.ascontiguousarray(region.content.T if across else region.content)
        if len(turned) >= 2 * smallest:
            found += [(band, across) for band in find(turned, smallest)]
    if not found:
        return []
    band, across = max(found)
    return _split(region, [band], across=across)


def _islands(region: Region, smallest: int) -> list[Region]:
    """Panels that gutter runs all around, however it winds, and the rest as one more part; none where there are none.

    A panel is told from a balloon or a figure by its outline: convex, with few corners.
    """
    height, width = region.content.shape
    # Gutter is paper reached from the region's edge, through openings of 3 pixels and more.
    paper = np.pad(1 - region.content, 2, constant_values=1)
    reached = np.asarray(cv2.erode(paper, np.ones((3, 3), np.uint8), borderValue=1), np.uint8)
    cv2.floodFill(reached, None, (0, 0), 2)
    solid = np.asarray(reached != 2, np.uint8)[2:-2, 2:-2]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    parts: list[Region] = []
    rest = region.content.copy()
    for label in range(1, count):
        x, y, w, h, _area = (int(v) for v in stats[label])
        if min(w, h) < smallest or w * h > 0.95 * width * height:
            continue
        island = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
        if _like_a_panel(island):
            content = region.content[y : y + h, x : x + w] * island
            rest[y : y + h, x : x + w] -= content
            parts.append(Region(region.x + x, region.y + y, content))
    return [*parts, Region(region.x, region.y, rest)] if parts else []


def _like_a_panel(island: Mask) -> bool:
    outlines, _ = cv2.findContours(island, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(outlines, key=cv2.contourArea)
    hull = cv2.convexHull(outline)
    corners = cv2.approxPolyDP(hull, 0.025 * cv2.arcLength(hull, True), True)
    return bool(cv2.contourArea(outline) >= SOLID * cv2.contourArea(hull) > 0 and len(corners) <= 5)


def _clear_bands(content: Mask, smallest: int) -> list[Band]:
    """Runs of rows with nothing in them, with enough on both sides of each."""
    kept: list[Band] = []
    last = 0
    for a, b in _runs(_share(content) <= CLEAR):
        if b - a >= MIN_GUTTER and a - last >= smallest and len(content) - b >= smallest:
            kept.append(Band(1.0, a, b))
            last = b
    return kept


def _framed_bands(content: Mask, smallest: int) -> list[Band]:
    """Gutters that something crosses, beside frames."""
    height = len(content)
    steps = np.diff(content.astype(np.int8), axis=0)
    # Row r of either: how much of the line between rows r - 1 and r is a lower, or an upper, edge of something.
    lower = _gathered(np.concatenate(([0.0], _share(steps < 0))))
    upper = _gathered(np.concatenate(([0.0], _share(steps > 0))))
    crossing = _share(content)
    widest = max(MIN_GUTTER, round(MAX_GUTTER * smallest / MIN_SIDE))
    found: list[Band] = []

    def consider(a: int, b: int, edges: int) -> None:
        """The band of rows a to b, with a frame expected at one of its sides or both."""
        if b - a < MIN_FRAMED_GUTTER or a < smallest or height - b < smallest or _open_ends(content[a:b]) < 2:
            return
        # A frame is as long as what it frames, which need not be the whole region.
        over = content[a - smallest : a].max(axis=0).mean()
        under = content[b : b + smallest].max(axis=0).mean()
        if min(over, under) < LEAST_FRAMED:
            return
        above, below = min(1.0, lower[a] / over), min(1.0, upper[b] / under)
        if (edges == 2 and min(above, below) >= FRAME) or (edges == 1 and max(lower[a], upper[b]) >= ONE_FRAME):
            found.append(Band(float(above + below - 2 * crossing[a:b].mean()), a, b))

    closing = _peaks(lower, LEAST_FRAMED * FRAME)
    opening = _peaks(upper, LEAST_FRAMED * FRAME)
    for a in closing:
        for b in opening:
            if a < b <= a + widest and crossing[a:b].mean() <= CROSSED:
                consider(a, b, 2)
    barely = crossing <= BARELY_CROSSED
    for a, b in _runs(barely):
        for start in closing:
            if a - 2 <= start < b:
                consider(max(a, start), min(b, start + MIN_GUTTER), 1)
        for end in opening:
            if a < end <= b + 2:
                consider(max(a, end - MIN_GUTTER), min(b, end), 1)
    return found


def _peaks(edges: Profile, least: float) -> list[int]:
    """Where edges gather most within three rows either way."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(edges, 3), 7).max(axis=1)
    return [int(i) for i in np.flatnonzero((edges >= least) & (edges == around))]


def _open_ends(band: Mask) -> int:
    """At how many of its ends (2 % of its length) a band of rows has a way out; inside a panel, its frame bars both."""
    reach = max(3, band.shape[1] // 50)
    return sum(bool((end.max(axis=1) == 0).any()) for end in (band[:, :reach], band[:, -reach:]))


def _gathered(edges: Profile) -> Profile:
    """Edges summed over three neighbouring rows: a frame drawn a little askew steps from one to the next."""
    return np.convolve(edges, np.ones(3), "same")


def _slanted_bands(content: Mask, smallest: int) -> list[Band]:
    """Clear gutters at a slope, the flattest that there are; wider ones score higher. Looked for at half the size."""
    even = content[: len(content) // 2 * 2, : content.shape[1] // 2 * 2]
    half = even[::2, ::2] | even[1::2, ::2] | even[::2, 1::2] | even[1::2, 1::2]
    height, width = half.shape
    least = smallest / 2
    for slope in SLOPES:
        rise = abs(slope) * width
        if height - rise < 2 * least:
            continue
        # Row r of the sheared picture is the line through (0, r) with this slope.
        shear = np.array([[1, 0, 0], [slope, 1, 0]], np.float32)
        sheared = cv2.warpAffine(
            half, shear, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=1
        )
        kept = []
        for a, b in _runs(_share(sheared) <= CLEAR):
            ends = ((a + b) / 2, (a + b) / 2 + slope * width)
            if b - a >= MIN_GUTTER // 2 and min(ends) >= least and height - max(ends) >= least:
                kept.append(Band(float(b - a), 2 * a, 2 * b, slope))
        if kept:
            return kept
    return []


def _split(region: Region, bands: list[Band], *, across: bool) -> list[Region]:
    """What lies above, between and below bands (given from the top); ``across``: rows and columns changed over.

    What crosses a band is dropped there, so that the parts end at their frames.
    """
    content = region.content.T if across else region.content
    height, width = content.shape
    columns = np.arange(width)

    def edge(at: int, slope: float) -> NDArray[np.int64]:
        return np.clip(np.round(at + slope * columns), 0, height).astype(np.int64)

    starts = [edge(0, 0.0), *(edge(band.bottom, band.slope) for band in bands)]
    ends = [*(edge(band.top, band.slope) for band in bands), edge(height, 0.0)]
    parts = []
    for upper, lower in zip(starts, ends, strict=True):
        top, bottom = int(upper.min()), int(lower.max())
        if bottom <= top:
            continue
        rows = np.arange(top, bottom)[:, None]
        part = content[top:bottom] * ((rows >= upper) & (rows < lower))
        part = part.astype(np.uint8)
        parts.append(
            Region(region.x + top, region.y, np.ascontiguousarray(part.T))
            if across
            else Region(region.x, region.y + top, part)
        )
    return parts


def _share(mask: NDArray[Any]) -> Profile:
    """The share of ones in each row (numpy's sum of a small picture's rows takes several times as long)."""
    ones = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    if ones.flags.f_contiguous and not ones.flags.c_contiguous:
        sums = cv2.reduce(ones.T, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    else:
        sums = cv2.reduce(ones, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    return np.asarray(sums / mask.shape[1], np.float64)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
