"""Measure panel detection against known panels: python tests/bench/panels.py FOLDER… [--show]

Each folder holds images and a panels.json: {file: {"direction", "panels": [[x, y, w, h], …]}} in reading order, or for
a strip {name: {"direction": "ttb", "slices": [[file, y], …], "panels": … in the whole strip's pixels}}.

Printed per folder: precision, recall and F1 (boxes matched greedily at IoU ≥ 0.5), F1 at 0.75, pages on which every
panel and no other was found, how many of those are also in the right order, and milliseconds a page.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2

from mangavid.models import Box
from mangavid.panels import PageImage, looks_like_strip, split


def load(folder: Path, name: str, index: int) -> PageImage:
    data = (folder / name).read_bytes()
    height, width = cv2.imread(str(folder / name)).shape[:2]
    return PageImage(index, width, height, data)


def iou(a: Box, b: Box) -> float:
    across = max(0, min(a.right, b.right) - max(a.x, b.x))
    down = max(0, min(a.bottom, b.bottom) - max(a.y, b.y))
    return across * down / (a.area + b.area - across * down)


def matched(found: list[Box], truth: list[Box], least: float) -> dict[int, int]:
    """Truth position → found position."""
    pairs = sorted(((iou(f, t), j, i) for i, f in enumerate(found) for j, t in enumerate(truth)), reverse=True)
    of_truth: dict[int, int] = {}
    for overlap, j, i in pairs:
        if overlap >= least and j not in of_truth and i not in of_truth.values():
            of_truth[j] = i
    return of_truth


def strip_box(pieces: list[tuple[int, Box]], tops: list[int]) -> Box:
    left = min(box.x for _, box in pieces)
    right = max(box.right for _, box in pieces)
    top = tops[pieces[0][0]] + pieces[0][1].y
    bottom = tops[pieces[-1][0]] + pieces[-1][1].bottom
    return Box(left, top, right - left, bottom - top)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--show", action="store_true", help="a line for each page")
    options = parser.parse_args()
    print(f"{'set':28} {'pages':>5}  P    R    F1@.5 F1@.75 exact ordered  ms/page  read as strip")
    for folder in options.folders:
        sums = [0, 0, 0, 0]
        exact = ordered = pages = strips = 0
        spent = 0.0
        truths = json.loads((folder / "panels.json").read_text())
        for name, entry in truths.items():
            slices = entry.get("slices", [[name, 0]])
            images = [load(folder, file, i) for i, (file, _) in enumerate(slices)]
            tops = [top for _, top in slices]
            start = time.perf_counter()
            panels = split(images, entry["direction"])
            spent += time.perf_counter() - start
            strips += looks_like_strip(images)
            found = [strip_box([(piece.page, piece.box) for piece in panel.pieces], tops) for panel in panels]
            truth = [Box(*box) for box in entry["panels"]]
            match = matched(found, truth, 0.5)
            is_exact = len(match) == len(truth) == len(found)
            is_ordered = is_exact and [match[j] for j in range(len(truth))] == list(range(len(found)))
            sums = [
                a + b
                for a, b in zip(
                    sums, (len(match), len(found), len(truth), len(matched(found, truth, 0.75))), strict=True
                )
            ]
            exact, ordered, pages = exact + is_exact, ordered + is_ordered, pages + len(images)
            if options.show:
                mark = (
                    "ordered"
                    if is_ordered
                    else "exact"
                    if is_exact
                    else f"{len(match)} of {len(truth)}, found {len(found)}"
                )
                print(f"  {name:40} {mark:28} confidence {panels[0].confidence}")
        hits, found_, truth_, tight = sums
        print(
            f"{folder.name:28} {pages:5}  {hits / found_:.3f} {hits / truth_:.3f} {2 * hits / (found_ + truth_):.3f}"
            f" {2 * tight / (found_ + truth_):.3f} {exact:3}/{len(truths)} {ordered:3}/{exact}"
            f" {1000 * spent / pages:8.0f}  {strips}/{len(truths)}"
        )


if __name__ == "__main__":
    main()
