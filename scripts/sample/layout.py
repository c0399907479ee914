"""Pages made of panels: each panel is drawn on a sheet of its own, framed, and laid on the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from sample.ink import SCALE, Path, Pen, Sheet, box

WIDTH, HEIGHT, MARGIN, GUTTER = 1200, 1700, 40, 20
FRAME = 5
LEVELS = 16
"""Grey levels of a stored page: enough for smooth edges, few enough to compress."""

Draw = Callable[[Pen, float, float], None]


@dataclass(frozen=True)
class Panel:
    """``outline`` in page pixels; ``draw`` gets a pen whose origin is the outline's upper left corner, and its size."""

    outline: Path
    draw: Draw
    framed: bool = True

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """x, y, width, height in whole page pixels, frame included."""
        xs, ys = [x for x, _ in self.outline], [y for _, y in self.outline]
        x0, y0 = math.floor(min(xs)), math.floor(min(ys))
        return x0, y0, math.ceil(max(xs)) - x0, math.ceil(max(ys)) - y0


@dataclass(frozen=True)
class Page:
    """Panels in reading order: from the right to the left, from the top down."""

    panels: Sequence[Panel]


def at(x0: float, y0: float, x1: float, y1: float, draw: Draw) -> Panel:
    """A rectangular panel between two corners."""
    return Panel(box(x0, y0, x1, y1), draw)


def render(page: Page) -> Image.Image:
    """The page as it is stored: 8-bit grey, ``LEVELS`` levels."""
    paper = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 255)
    for panel in page.panels:
        x, y, w, h = panel.bounds
        sheet = Sheet(w, h)
        panel.draw(Pen(sheet), w, h)
        local = [((px - x) * SCALE, (py - y) * SCALE) for px, py in panel.outline]
        if panel.framed:
            # half of the line falls outside the outline, where the mask cuts it off
            sheet.draw.line([*local, *local[:2]], fill=0, width=2 * FRAME * SCALE, joint="curve")
        mask = Image.new("1", sheet.image.size, 0)
        ImageDraw.Draw(mask).polygon([(min(px, w * SCALE - 1), min(py, h * SCALE - 1)) for px, py in local], fill=1)
        paper.paste(sheet.image, (x * SCALE, y * SCALE), mask)
    step = 255 // (LEVELS - 1)
    return paper.reduce(SCALE).point([round(v / step) * step for v in range(256)])
