"""Panels of a page by cutting it along its gutters, again and again: the classic XY-cut, with two additions.

A gutter may be slanted; and a gutter that a figure or a balloon crosses still counts where the frames on its two sides
show (a long straight edge each). Pictures here are masks at working size: ``content`` is 1 where a pixel is not gutter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

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
MIN_SIDE = 0.05
"""A part thinner than this share of the page's shorter side is not cut off."""
CROSSED = 0.5
"""The share of a gutter that may be crossed where frames show on both sides of it."""
FRAME = 0.55
"""The share of a gutter's length along which a frame's straight edge must show on either side."""
SLOPES = (0.04, -0.04, 0.08, -0.08, 0.12, -0.12, 0.17, -0.17, 0.23, -0.23, 0.3, -0.3)


@dataclass(frozen=True)
class Region:
    """A part of the page: where its top-left corner lies, and its content (others' content blanked)."""

    x: int
    y: int
    content: Mask

    def trimmed(self) -> Region | None:
        """Without empty margins; None where nothing is left."""
        rows = np.flatnonzero(self.content.mean(axis=1) > CLEAR)
        columns = np.flatnonzero(self.content.mean(axis=0) > CLEAR)
        if not len(rows) or not len(columns):
            return None
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        return Region(self.x + left, self.y + top, self.content[top:bottom, left:right])

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.content.shape[1], self.content.shape[0])


def leaves(content: Mask, *, crossed: bool, slanted: bool) -> list[Region]:
    """Cut a whole page as far as its gutters go."""
    smallest = max(8, round(MIN_SIDE * min(content.shape)))
    done: list[Region] = []
    waiting = [Region(0, 0, content)]
    while waiting:
        region = waiting.pop().trimmed()
        if region is None:
            continue
        parts = _cut(region, smallest, crossed=crossed, slanted=slanted)
        if len(parts) > 1:
            waiting += parts
        else:
            done.append(region)
    return done


def _cut(region: Region, smallest: int, *, crossed: bool, slanted: bool) -> list[Region]:
    """The parts along the best kind of gutter there is, or none."""
    content = region.content
    for across in (False, True):
        turned = content.T if across else content
        bands = _clear_bands(turned.mean(axis=1), smallest)
        if bands:
            return _split(region, [((a + b) / 2, 0.0) for a, b in bands], across=across)
    found: list[tuple[float, float, float, bool]] = []
    for across in (False, True):
        turned = np.ascontiguousarray(content.T if across else content)
        if crossed:
            found += [(score, at, 0.0, across) for score, at in _framed_bands(turned, smallest)]
    if not found and slanted:
        for across in (False, True):
            turned = np.ascontiguousarray(content.T if across else content)
            if min(turned.shape) >= 2 * smallest:
                found += [(score, at, slope, across) for score, at, slope in _slanted_bands(turned, smallest)]
    if not found:
        return []
    _, at, slope, across = max(found)
    return _split(region, [(at, slope)], across=across)


def _clear_bands(profile: Profile, smallest: int) -> list[tuple[int, int]]:
    """Runs of gutter lines with enough on both sides of each."""
    bands = [(a, b) for a, b in _runs(profile <= CLEAR) if b - a >= MIN_GUTTER]
    kept: list[tuple[int, int]] = []
    last = 0
    for a, b in bands:
        if a - last >= smallest and len(profile) - b >= smallest:
            kept.append((a, b))
            last = b
    return kept


def _framed_bands(content: Mask, smallest: int) -> list[tuple[float, float]]:
    """Gutters that something crosses: (score, middle). Rows of ``content`` run along the gutter."""
    height = len(content)
    if height < 2 * smallest:
        return []
    steps = np.diff(content.astype(np.int8), axis=0)
    closing = _gathered((steps < 0).mean(axis=1))
    opening = _gathered((steps > 0).mean(axis=1))
    crossing = content.mean(axis=1)
    found = []
    low = crossing <= CROSSED
    for a, b in _runs(low):
        if b - a < MIN_GUTTER or a < smallest or height - b < smallest:
            continue
        above = closing[max(0, a - 3) : a + 3].max(initial=0.0)
        below = opening[max(0, b - 4) : b + 2].max(initial=0.0)
        if min(above, below) >= FRAME:
            found.append((float(min(above, below)), (a + b) / 2))
    return found


def _gathered(edges: Profile) -> Profile:
    """Edges summed over three neighbouring rows: a frame drawn a little askew steps from one to the next."""
    return np.convolve(edges, np.ones(3), "same")


def _slanted_bands(content: Mask, smallest: int) -> list[tuple[float, float, float]]:
    """Clear gutters at a slope: (score, height at the left end, slope). The flattest wins."""
    height, width = content.shape
    for slope in SLOPES:
        rise = abs(slope) * width
        if height - rise < 2 * smallest:
            continue
        # Row r of the sheared picture is the line through (0, r) with this slope.
        shear = np.array([[1, 0, 0], [slope, 1, 0]], np.float32)
        sheared = cv2.warpAffine(
            content, shear, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=1
        )
        bands = [(a, b) for a, b in _runs(sheared.mean(axis=1) <= CLEAR) if b - a >= MIN_GUTTER]
        kept = []
        for a, b in bands:
            middle = (a + b) / 2
            ends = (middle, middle + slope * width)
            if min(ends) >= smallest and height - max(ends) >= smallest:
                kept.append((float(b - a), middle, slope))
        if kept:
            return kept
    return []


def _split(region: Region, lines: list[tuple[float, float]], *, across: bool) -> list[Region]:
    """Along lines (height at the left end, slope), top to bottom; ``across``: rows and columns changed over."""
    content = region.content.T if across else region.content
    height, width = content.shape
    columns = np.arange(width)
    edges = [np.zeros(width, int)]
    edges += [np.clip(np.round(at + slope * columns), 0, height).astype(int) for at, slope in lines]
    edges.append(np.full(width, height))
    parts = []
    for upper, lower in pairwise(edges):
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


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
