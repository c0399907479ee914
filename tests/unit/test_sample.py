"""The bundled sample chapter: complete, telling itself panel by panel, and what its script draws."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mangavid.models import Sidecar
from mangavid.sources import comicinfo, sidecar
from mangavid.writers.titles import video_title
from mangavid.yamlfile import plain

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "mangavid" / "sample"
TRUTH = json.loads((SAMPLE / "panels.json").read_text(encoding="utf-8"))
NAMES = [page["name"] for page in TRUTH["pages"]]


def narration() -> Sidecar:
    return sidecar.read((SAMPLE / "narration.yaml").read_bytes(), "narration.yaml", plain)


def draw(out: Path, *pages: int) -> None:
    chosen = [word for page in pages for word in ("--page", str(page))]
    subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "scripts" / "draw_sample.py"), "--out", str(out), *chosen],
        check=True,
    )


def test_the_sample_holds_its_pages_and_what_goes_with_them() -> None:
    assert [f"{n:02d}.png" for n in range(1, 8)] == NAMES
    assert sorted(path.name for path in SAMPLE.iterdir()) == sorted(
        [*NAMES, "ComicInfo.xml", "narration.yaml", "panels.json"]
    )


@pytest.mark.parametrize("page", TRUTH["pages"], ids=NAMES)
def test_a_page_is_small_grey_and_as_large_as_its_truth_says(page: dict[str, object]) -> None:
    path = SAMPLE / str(page["name"])
    with Image.open(path) as image:
        assert image.mode == "L"
        assert image.size == (page["width"], page["height"])
    assert path.stat().st_size <= 250_000


@pytest.mark.parametrize("page", TRUTH["pages"], ids=NAMES)
def test_every_panel_has_a_black_frame_in_a_white_gutter_or_fills_the_page(page: dict[str, object]) -> None:
    pixels = np.asarray(Image.open(SAMPLE / str(page["name"])))
    panels = page["panels"]
    assert isinstance(panels, list)
    covered = np.zeros(pixels.shape, bool)
    for x, y, w, h in panels:
        covered[y : y + h, x : x + w] = True
        if (w, h) == (page["width"], page["height"]):
            continue
        # the upper and lower edges run straight in every panel; the sides of two of them lean
        inked = pixels[[y + 2, y + h - 3], x : x + w] < 60
        assert (inked.mean(axis=1) > 0.8).all()
    assert (pixels[~covered] > 250).all()


def test_the_narration_has_an_entry_for_every_panel() -> None:
    told = [(entry.page, entry.panel) for entry in narration().narration]
    assert told == [(n, k) for n, page in enumerate(TRUTH["pages"], 1) for k in range(1, len(page["panels"]) + 1)]


def test_the_narration_is_short_composed_vietnamese_with_a_number_in_digits() -> None:
    texts = [entry.text for entry in narration().narration]
    assert all(1 <= len(text.split()) <= 22 for text in texts)
    assert all(text == unicodedata.normalize("NFC", text) for text in texts)
    assert any(ch.isdigit() for text in texts for ch in text)
    assert set("ếồộặằữẳử") & set("".join(texts))


def test_the_chapter_says_its_name_and_that_it_is_read_from_the_right_in_vietnamese() -> None:
    info = comicinfo.read((SAMPLE / "ComicInfo.xml").read_bytes())
    assert (info.series, info.number, info.language, info.direction) == ("Mướp bắt trăng", "1", "vi", "rtl")
    assert TRUTH["direction"] == "rtl"
    assert not narration().title
    assert video_title(info.series, info.number, info.title) == "Mướp bắt trăng – Chương 1: Đêm rằm tháng 8"


def test_a_page_drawn_twice_has_the_same_bytes(tmp_path: Path) -> None:
    draw(tmp_path / "a", 3)
    draw(tmp_path / "b", 3)
    assert (tmp_path / "a" / "03.png").read_bytes() == (tmp_path / "b" / "03.png").read_bytes()


@pytest.mark.slow
def test_the_script_draws_the_pages_that_are_bundled(tmp_path: Path) -> None:
    draw(tmp_path)
    assert (tmp_path / "panels.json").read_bytes() == (SAMPLE / "panels.json").read_bytes()
    for name in NAMES:
        drawn = np.asarray(Image.open(tmp_path / name)).astype(int)
        bundled = np.asarray(Image.open(SAMPLE / name)).astype(int)
        # another processor's sines, another FreeType's hinting move an edge by a grey or two: never a shape
        assert (np.abs(drawn - bundled) > 34).mean() < 0.0005
