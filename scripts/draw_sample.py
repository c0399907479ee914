"""Draw the bundled sample chapter into mangavid/sample: seven pages, their panels, and what goes with them.

python scripts/draw_sample.py [--out DIRECTORY] [--page NUMBER …]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sample.layout import HEIGHT, WIDTH, render
from sample.pages_down import DOWN
from sample.pages_up import UP

PAGES = (*UP, *DOWN)
OUT = Path(__file__).resolve().parent.parent / "mangavid" / "sample"


def truth() -> str:
    """Where every panel is: boxes (left, top, width, height) in reading order, page by page."""
    pages = [
        {
            "name": f"{n:02d}.png",
            "width": WIDTH,
            "height": HEIGHT,
            "panels": [list(panel.bounds) for panel in page.panels],
        }
        for n, page in enumerate(PAGES, 1)
    ]
    rows = ",\n".join("    " + json.dumps(page) for page in pages)
    return f'{{\n  "direction": "rtl",\n  "pages": [\n{rows}\n  ]\n}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="where to write (default: mangavid/sample)")
    parser.add_argument("--page", type=int, action="append", help="draw only this page (may be given again)")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(PAGES, 1):
        if chosen.page is None or number in chosen.page:
            target = chosen.out / f"{number:02d}.png"
            render(page).save(target, optimize=True)
            print(f"{target.name}: {len(page.panels)} panels, {target.stat().st_size / 1000:.0f} kB")
    (chosen.out / "panels.json").write_text(truth(), encoding="utf-8")


if __name__ == "__main__":
    main()
