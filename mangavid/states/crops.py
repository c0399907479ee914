"""A panel's picture, cut from its pages on demand, for a writer to look at."""

from __future__ import annotations

import io

from mangavid.models import Chapter
from mangavid.ports import Objects

_LONG_SIDE = 1536


class PanelImages:
    """Cuts panels from the stored pages; keeps the last page decoded, since panels come in order."""

    def __init__(self, objects: Objects, chapter: Chapter) -> None:
        self._objects = objects
        self._chapter = chapter
        self._last: tuple[int, object] | None = None

    def jpeg(self, panel: int) -> bytes:
        """JPEG bytes of a panel, its pieces stacked, long side at most 1,536 pixels. IndexError for no such panel."""
        from PIL import Image

        pieces = self._chapter.panels[panel].pieces
        canvas = Image.new("RGB", (max(piece.box.w for piece in pieces), sum(piece.box.h for piece in pieces)), "white")
        top = 0
        for piece in pieces:
            page = self._page(piece.page)
            assert isinstance(page, Image.Image)
            box = piece.box
            canvas.paste(page.crop((box.x, box.y, box.right, box.bottom)), (0, top))
            top += box.h
        canvas.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        canvas.save(out, "JPEG", quality=82)
        return out.getvalue()

    def _page(self, index: int) -> object:
        from PIL import Image

        if self._last is None or self._last[0] != index:
            with Image.open(self._objects.fetch(self._chapter.pages[index].key)) as image:
                self._last = (index, image.convert("RGB"))
        return self._last[1]
