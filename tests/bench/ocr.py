"""Bubbles in Vietnamese read by the real tools: ``python tests/bench/ocr.py`` (needs the extra ``ocr`` and tesseract
with ``vie``). Draws a panel with three bubbles on a hatched ground and prints what was read, how alike, how fast.
"""

from __future__ import annotations

import difflib
import io
import sys
import time
from pathlib import Path

import fontpkg_be_vietnam_pro
from PIL import Image, ImageDraw, ImageFont

from mangavid.writers import ocr

BUBBLES = {
    (560, 60, 400, 260): ("CỤ GIỮ THANH", "KIẾM NÀY ĐI,", "ĐỪNG ĐỂ MẤT!"),
    (40, 140, 400, 240): ("Tôi không thể nào", "tin được chuyện", "này... thật sao?"),
    (300, 900, 460, 260): ("Người đó sẽ trở lại", "vào đêm trăng tròn,", "hãy giữ mình!"),
}
ENOUGH = 0.9


def panel() -> bytes:
    (file,) = Path(fontpkg_be_vietnam_pro.__file__).parent.rglob("BeVietnamPro-Regular.ttf")
    font = ImageFont.truetype(str(file), 30)
    picture = Image.new("RGB", (1000, 1300), "#777")
    draw = ImageDraw.Draw(picture)
    for y in range(0, 1300, 7):
        draw.line((0, y, 1000, 1300 - y), fill="#555")
    for (x, y, w, h), lines in BUBBLES.items():
        draw.ellipse((x, y, x + w, y + h), fill="white", outline="black", width=4)
        for n, line in enumerate(lines):
            left = x + (w - draw.textlength(line, font=font)) / 2
            draw.text((left, y + h / 2 + (n - len(lines) / 2) * 40), line, font=font, fill="black")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return out.getvalue()


def main() -> int:
    reader = ocr.open_reader()
    if isinstance(reader, str):
        print(reader, file=sys.stderr)
        return 1
    picture = panel()
    reader.read(picture)
    begun = time.perf_counter()
    found = ocr.in_order(reader.read(picture), "rtl")
    took = time.perf_counter() - begun
    text = " ".join(bubble.text for bubble in found)
    alike = difflib.SequenceMatcher(None, text, " ".join(" ".join(lines) for lines in BUBBLES.values())).ratio()
    for bubble in found:
        print(f"{bubble.confidence:.2f}  {bubble.text}")
    print(f"{alike:.3f} alike, {took:.1f} s a panel, taken for Vietnamese: {ocr.is_vietnamese(text)}")
    return 0 if alike >= ENOUGH and ocr.is_vietnamese(text) else 1


if __name__ == "__main__":
    raise SystemExit(main())
