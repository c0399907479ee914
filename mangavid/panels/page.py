"""The panels of one page: several proposals, a score for each, the best one; the whole page where none convinces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2  # noqa: TID253  (imported inside functions by the rest of ``panels``)
import numpy as np  # noqa: TID253

from mangavid.models import Box
from mangavid.panels import cuts

if TYPE_CHECKING:
    from mangavid.panels.cuts import Mask
    from mangavid.panels.pixels import Grey

WORKING_SIDE = 1000
"""The longer side of a page while its panels are looked for, in pixels."""
TOLERANCE = 24
"""How far from the gutter's grey a pixel may be and still count as gutter."""
SURE = 0.5
"""Below this score the whole page is shown."""
MIN_AREA = 0.008
"""A box smaller than this share of the page is a page number or a stray mark."""
MAX_PANELS = 16


@dataclass(frozen=True)
class Proposal:
    """Boxes at working size, and how convincing they are together, 0 to 1."""

    boxes: tuple[Box, ...]
    score: float


def find(picture: Grey) -> Proposal:
    """The panels of a page (any order), or one box of the whole page with score 0."""
    height, width = picture.shape
    whole = Proposal((Box(0, 0, width, height),), 0.0)
    best = whole
    for level in _gutter_levels(picture):
        content = _content(picture, level)
        for crossed in (False, True):
            boxes = _tidied(_boxes(content, crossed=crossed), width, height)
            proposal = Proposal(tuple(boxes), score(boxes, content))
            if proposal.score > best.score:
                best = proposal
    return best if best.score >= SURE else whole


def _gutter_levels(picture: Grey) -> list[int]:
    """Greys that gutters may have: paper, black, and what most of the page's edge is."""
    rim = np.concatenate([picture[:3].ravel(), picture[-3:].ravel(), picture[:, :3].ravel(), picture[:, -3:].ravel()])
    counts = np.bincount(rim, minlength=256)
    around = np.convolve(counts, np.ones(9), "same")
    common = int(around.argmax())
    levels = [255, 0]
    if TOLERANCE < common < 255 - TOLERANCE and around[common] > 0.3 * rim.size:
        levels.append(common)
    return [level for level in levels if (np.abs(picture.astype(np.int16) - level) <= TOLERANCE).mean() > 0.01]


def _content(picture: Grey, level: int) -> Mask:
    apart = cv2.absdiff(picture, np.full_like(picture, level))
    return np.asarray(apart > TOLERANCE, np.uint8)


def _boxes(content: Mask, *, crossed: bool) -> list[Box]:
    found: list[Box] = []
    for leaf in cuts.leaves(content, crossed=crossed, slanted=True):
        found += _islands(leaf)
    return found


def _islands(leaf: cuts.Region) -> list[Box]:
    """A leaf no straight cut divides may still hold panels that a winding gutter parts; else the leaf itself."""
    height, width = leaf.content.shape
    if min(height, width) < 60:
        return [leaf.box]
    # Gutter that is reached from the leaf's edge; paper inside frames and balloons is not.
    paper = np.pad(1 - leaf.content, 1, constant_values=1)
    padded = np.asarray(cv2.erode(paper, np.ones((3, 3), np.uint8), borderValue=1), np.uint8)
    padded[0], padded[-1], padded[:, 0], padded[:, -1] = 1, 1, 1, 1
    cv2.floodFill(padded, None, (0, 0), 2)
    solid = (padded != 2).astype(np.uint8)[1:-1, 1:-1]
    count, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    large = []
    for x, y, w, h, area in stats[1:count]:
        if w * h > 0.06 * width * height and area > 0.5 * w * h and min(w, h) > 40:
            large.append(Box(leaf.x + int(x), leaf.y + int(y), int(w), int(h)))
    if len(large) < 2 or sum(box.area for box in large) < 0.6 * leaf.box.area:
        return [leaf.box]
    return large


def _tidied(boxes: list[Box], width: int, height: int) -> list[Box]:
    """Without stray marks, and without boxes inside others."""
    boxes = sorted((b for b in boxes if b.area >= MIN_AREA * width * height), key=lambda b: -b.area)
    kept: list[Box] = []
    for box in boxes:
        if all(common(box, other) < 0.8 * box.area for other in kept):
            kept.append(box)
    return kept


def common(one: Box, other: Box) -> int:
    """Pixels two boxes share."""
    across = min(one.right, other.right) - max(one.x, other.x)
    down = min(one.bottom, other.bottom) - max(one.y, other.y)
    return max(0, across) * max(0, down)


def score(boxes: list[Box], content: Mask) -> float:
    """How much boxes look like a page of panels: they hold its content, are few, don't overlap, are no slivers."""
    if not boxes:
        return 0.0
    height, width = content.shape
    total = int(content.sum()) or 1
    covered = np.zeros_like(content)
    for box in boxes:
        covered[box.y : box.bottom, box.x : box.right] = 1
    coverage = float((content & covered).sum()) / total
    overlap = sum(common(a, b) for i, a in enumerate(boxes) for b in boxes[:i]) / sum(b.area for b in boxes)
    slivers = sum(min(b.w / width, b.h / height) < 0.08 for b in boxes) / len(boxes)
    number = 1.0 if len(boxes) <= MAX_PANELS else MAX_PANELS / len(boxes)
    area = min(1.0, sum(b.area for b in boxes) / (0.45 * width * height))
    return float(coverage * (1 - min(1, overlap)) * (1 - slivers) * number * area)
