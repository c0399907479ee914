from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mangavid import config
from mangavid.models import Box, Chapter, Narration, Page, Panel, Piece, Sidecar
from mangavid.writers import ocr
from mangavid.writers.ocr import Bubble
from mangavid.writers.offline import OfflineWriter

VIETNAMESE = (
    "Tôi không thể nào tin được chuyện này, thật sao? Người đó sẽ trở lại vào đêm trăng tròn, hãy giữ thanh kiếm."
)


def chapter(panels: int, **changes: Any) -> Chapter:
    settings: dict[str, Any] = {
        "job_id": "j",
        "source": "s",
        "title": "",
        "series": "Mưa",
        "number": "1",
        "language": "vi",
        "direction": "rtl",
        "pages": (Page(index=0, name="0.png", key="k", sha256="", width=100, height=150),),
        "panels": tuple(Panel(index=i, pieces=(Piece(0, Box(0, 0, 100, 50)),)) for i in range(panels)),
    }
    return Chapter(**(settings | changes))


class Said:
    """A reader that knows what each panel says; the picture of panel n is its number."""

    def __init__(self, *panels: list[Bubble]) -> None:
        self.panels = panels
        self.read_panels: list[int] = []

    def read(self, jpeg: bytes) -> list[Bubble]:
        self.read_panels.append(int(jpeg))
        return self.panels[int(jpeg) % len(self.panels)]


def image(panel: int) -> bytes:
    return str(panel).encode()


def bubble(text: str, x: int = 0, y: int = 0, confidence: float = 0.9) -> Bubble:
    return Bubble(Box(x, y, 100, 60), text, confidence)


def test_vietnamese_bubbles_are_read_in_order_behind_the_chapters_name() -> None:
    reader = Said([bubble("nghe rồi.", 0), bubble("Tôi đã", 400)], [], [bubble(VIETNAMESE)])
    script = OfflineWriter(config.Writer(), open_reader=lambda: reader).write(chapter(3), image)
    assert script.writer == "ocr"
    assert [scene.text for scene in script.scenes] == ["Mưa, chương 1. Tôi đã nghe rồi.", "", VIETNAMESE]


def test_a_sidecar_is_preferred_and_nothing_is_looked_at() -> None:
    reader = Said([bubble(VIETNAMESE)])
    wrote = Sidecar(narration=(Narration(page=1, text="Của tôi."),))
    script = OfflineWriter(config.Writer(), open_reader=lambda: reader).write(chapter(1, sidecar=wrote), image)
    assert (script.writer, reader.read_panels) == ("sidecar", [])


def test_reading_can_be_switched_off() -> None:
    reader = Said([bubble(VIETNAMESE)])
    script = OfflineWriter(config.Writer(ocr=False), open_reader=lambda: reader).write(chapter(1), image)
    assert (script.writer, reader.read_panels) == ("neutral", [])


def test_what_the_reader_lacks_is_logged_and_the_lines_stay_neutral(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    writer = OfflineWriter(config.Writer(), open_reader=lambda: "the OCR extra is not installed")
    assert writer.write(chapter(1), image).writer == "neutral"
    assert "bubbles are not read: the OCR extra is not installed" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "Don't even think about it, the gate will not hold much longer",
        "Toi khong the nao tin duoc chuyen nay that sao",
        "L'école a été fermée à cause de la neige qui tombe",
    ],
)
def test_bubbles_in_another_language_are_never_narrated(text: str) -> None:
    reader = Said([bubble(text)])
    script = OfflineWriter(config.Writer(), open_reader=lambda: reader).write(chapter(40), image)
    assert script.writer == "neutral"
    assert text not in " ".join(scene.text for scene in script.scenes)
    assert len(reader.read_panels) == ocr.SAMPLE_PANELS


def test_noise_is_not_taken_for_words() -> None:
    noise = [bubble("Ũ", confidence=0.78), bubble("l ‡] bì", confidence=0.63), bubble("âÑ ẮẰẲẰ", confidence=0.3)]
    assert ocr.lines(chapter(40), image, Said(noise)) is None


def test_unclear_bubbles_and_single_letters_are_left_out() -> None:
    reader = Said([bubble(VIETNAMESE, 300), bubble("Ũ", 200), bubble("đừng đọc tôi", 0, confidence=0.5)])
    assert ocr.lines(chapter(1), image, reader) == [VIETNAMESE]


def test_addresses_on_a_page_do_not_reach_the_narration() -> None:
    advert = "Đọc ở https://xau.vn/a hay truyenxau.com, hỏi @xau hoặc a@b.vn, gọi 0912 345 678 nhé các bạn ơi"
    assert ocr.lines(chapter(3), image, Said([bubble(advert)])) == ["Đọc ở hay hỏi hoặc gọi nhé các bạn ơi"] * 3


def test_a_panel_full_of_text_is_cut_at_a_word() -> None:
    (text,) = ocr.lines(chapter(1), image, Said([bubble("được rồi " * 200)])) or [""]
    assert len(text) <= ocr.MAX_PANEL + 1
    assert text.endswith("được…") or text.endswith("rồi…")


@pytest.mark.parametrize(
    ("direction", "order"),
    [("rtl", ["b", "a", "c", "d"]), ("ltr", ["a", "b", "d", "c"]), ("ttb", ["a", "b", "d", "c"])],
)
def test_bubbles_are_ordered_by_rows_and_direction(direction: Any, order: list[str]) -> None:
    placed = [bubble("d", 10, 300), bubble("a", 0, 10), bubble("c", 300, 320), bubble("b", 200, 0)]
    assert [one.text for one in ocr.in_order(placed, direction)] == order


def test_lines_one_above_the_other_are_one_bubble_and_others_are_not() -> None:
    left = [Box(10, y, 200, 30) for y in (10, 42, 74)]
    right = [Box(300, 40, 150, 30), Box(310, 200, 150, 30)]
    found = ocr.grouped([left[2], right[0], left[0], right[1], left[1]])
    assert sorted(found, key=lambda box: (box.x, box.y)) == [
        Box(10, 10, 200, 94),
        Box(300, 40, 150, 30),
        Box(310, 200, 150, 30),
    ]
    assert ocr.grouped([]) == []


def test_tesseracts_table_gives_words_and_their_confidence() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    rows = "1\t1\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t\n" + '5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t90.0\t"Cụ\n'
    more = "5\t1\t1\t1\t1\t2\t0\t0\t9\t9\t60\tgiữ\n" + "5\t1\t1\t1\t1\t3\t0\t0\t9\t9\tbroken\tx\n"
    assert ocr.parse_tsv(head + rows + more) == ('"Cụ giữ', pytest.approx(0.75))
    assert ocr.parse_tsv("") == ("", 0.0)


class Boxes:
    """RapidOCR as it answers: quadrilaterals, or None."""

    def __init__(self, boxes: Any) -> None:
        self.boxes = boxes

    def __call__(self, picture: Any, *, use_det: bool, use_cls: bool, use_rec: bool) -> Boxes:
        assert (picture.shape, use_det, use_cls, use_rec) == ((200, 300, 3), True, False, False)
        return self


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(file, "JPEG")
    return file.getvalue()


def tesseract(folder: Path, script: str) -> str:
    program = folder / "tesseract"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return str(program)


QUADS = [[(50, 40), (150, 40), (150, 60), (50, 60)], [(50, 64), (150, 64), (150, 84), (50, 84)]]


def test_the_reader_crops_what_was_found_and_has_it_read(tmp_path: Path) -> None:
    crop = tmp_path / "crop.png"
    program = tesseract(
        tmp_path,
        f"cat > '{crop}'\n[ \"$*\" = 'stdin stdout -l vie --psm 6 tsv' ] || exit 9\n"
        "printf 'conf\\ttext\\n91\\tĐừng\\n89\\tđi!\\n'\n",
    )
    (found,) = ocr.BubbleReader(Boxes(QUADS), program).read(jpeg())
    assert (found.text, found.confidence) == ("Đừng đi!", pytest.approx(0.9, abs=0.01))
    assert (found.box.x < 50, found.box.right > 150, found.box.y < 40, found.box.bottom > 84) == (True,) * 4
    with Image.open(crop) as seen:
        assert (seen.mode, seen.height) == ("L", pytest.approx(found.box.h * 3 + 40, abs=1))


@pytest.mark.parametrize(
    "script", ["exit 1\n", "cat > /dev/null; exec sleep 60\n", "cat > /dev/null; printf '\\377'\n"]
)
def test_a_tesseract_that_fails_reads_nothing(tmp_path: Path, script: str) -> None:
    program = tesseract(tmp_path, script)
    assert ocr.BubbleReader(Boxes(QUADS), program, timeout=0.5).read(jpeg()) == []


def test_a_panel_without_letters_has_no_bubbles(tmp_path: Path) -> None:
    assert ocr.BubbleReader(Boxes(None), "/nowhere").read(jpeg()) == []


def test_opening_the_reader_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "tesseract is not installed" in str(ocr.open_reader())
    tesseract(tmp_path, "echo eng\n")
    assert "no Vietnamese data" in str(ocr.open_reader())
