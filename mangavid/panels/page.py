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
SPECK = 4
"""Working pixels; what is no larger either way is not content."""
STROKE = 9
MOSTLY = 0.6
"""Where this share of the page's edge is white, so are the gutters (a black edge may also be the panels' frames)."""
MIN_AREA = 0.008
"""A box smaller than this share of the page is a page number or a stray mark."""
MAX_PANELS = 16
REACH = 4
"""How many pixels inside and outside of a box's edge are looked at."""
OVERLAID = 0.3
"""The share of an edge that may lie under a balloon or a figure without counting against the box."""
FRAMED = 0.35
"""A box that stands out along less of its edges has no frame."""
NEAR = 0.1
"""Frameless bits no further apart than this share of the page's shorter side belong together."""


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
            boxes = _tidied(_gathered([r.box for r in cuts.leaves(content, crossed=crossed)], content), width, height)
            proposal = Proposal(tuple(boxes), score(boxes, content))
            if proposal.score > best.score:
                best = proposal
    return best if best.score >= SURE else whole


def _gutter_levels(picture: Grey) -> list[int]:
    """Greys that gutters may have: paper, black, and what most of the page's edge is."""
    rim = np.concatenate([picture[:3].ravel(), picture[-3:].ravel(), picture[:, :3].ravel(), picture[:, -3:].ravel()])
    around = np.convolve(np.bincount(rim, minlength=256), np.ones(9), "same") / rim.size
    common = int(around.argmax())
    if common >= 255 - TOLERANCE and around[common] > MOSTLY:
        return [255]
    grey = [common] if TOLERANCE < common < 255 - TOLERANCE and around[common] > 0.3 else []
    return [255, 0, *grey]


def _content(picture: Grey, level: int) -> Mask:
    apart = cv2.absdiff(picture, np.full_like(picture, level))
    content = np.asarray(apart > TOLERANCE, np.uint8)
    if level <= TOLERANCE:
        # Black that is no wider than this is a frame or a stroke, not a gutter.
        content = np.asarray(cv2.morphologyEx(content, cv2.MORPH_CLOSE, np.ones((STROKE, STROKE), np.uint8)), np.uint8)
    # Specks (dust of a scan, noise of compression) would keep gutters from being clear.
    _, labels, stats, _ = cv2.connectedComponentsWithStats(content, connectivity=8)
    large = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) > SPECK
    large[0] = False
    return np.asarray(large[labels], np.uint8)


def _gathered(boxes: list[Box], content: Mask) -> list[Box]:
    """Bits without a frame that lie near each other are one drawing (or one text) on open paper: joined."""
    height, width = content.shape
    near = NEAR * min(height, width)
    least = 2 * MIN_AREA * height * width
    loose = [box for box in boxes if box.area < least or standing_out([box], content) < FRAMED]
    framed = [box for box in boxes if box not in loose]
    joined = True
    while joined and len(loose) < 60:
        joined = False
        for i, a in enumerate(loose):
            for b in loose[:i]:
                both = _around(a, b)
                gap = max(max(a.x, b.x) - min(a.right, b.right), max(a.y, b.y) - min(a.bottom, b.bottom))
                if gap <= near and all(common(both, other) < 0.05 * other.area for other in framed):
                    loose = [box for box in loose if box not in (a, b)] + [both]
                    joined = True
                    break
            if joined:
                break
    return framed + loose


def _around(a: Box, b: Box) -> Box:
    left, top = min(a.x, b.x), min(a.y, b.y)
    return Box(left, top, max(a.right, b.right) - left, max(a.bottom, b.bottom) - top)


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
    """How much boxes look like a page of panels, 0 to 1.

    They hold the page's content, don't overlap, are neither slivers nor too many, fill the page, and stand out: along
    their edges there is something inside and gutter outside. More boxes that do all this are the better explanation.
    """
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
    number = min(1.0, MAX_PANELS / len(boxes)) * len(boxes) / (len(boxes) + 0.5)
    area = min(1.0, sum(b.area for b in boxes) / (0.45 * width * height))
    edges = 0.5 + 0.5 * standing_out(boxes, content, overlaid=OVERLAID)
    return float(coverage * (1 - min(1, overlap)) * (1 - slivers) * number * area * edges)


def standing_out(boxes: list[Box], content: Mask, overlaid: float = 0.0) -> float:
    """The share of the boxes' edges with content just inside and gutter just outside; the page's rim does not count.

    ``overlaid`` is the share of each side that may have neither and the side still count as a whole.
    """
    good = length = 0.0
    for box in boxes:
        for turns in range(4):
            # Each turn brings the next side of the box to the top.
            page = np.rot90(content, turns)
            x, y, w = _turned(box, turns, content.shape)
            if y > REACH:
                outside, inside = page[y - REACH : y, x : x + w], page[y : y + REACH, x : x + w]
                share = float(((outside.min(axis=0) == 0) & (inside.max(axis=0) == 1)).mean())
                good += w * min(1.0, share / (1 - overlaid))
                length += w
    return good / length if length else 0.0


def _turned(box: Box, turns: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Left, top and width of a box in a page of this shape turned anticlockwise by quarters."""
    height, width = shape
    return (
        (box.x, box.y, box.w),
        (box.y, width - box.right, box.h),
        (width - box.right, height - box.bottom, box.w),
        (height - box.bottom, box.x, box.h),
    )[turns]
