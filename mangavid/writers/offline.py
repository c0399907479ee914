"""The writer that needs no network and no key."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mangavid import config
from mangavid.models import Chapter, Scene, Script
from mangavid.ports import Desk
from mangavid.writers import neutral, ocr, sidecar, titles

_log = logging.getLogger(__name__)


class OfflineWriter:
    """Writes what is known and nothing else: the first of these that has words for the chapter.

    1. ``sidecar``: what a person wrote, as they wrote it;
    2. ``ocr``: the bubbles, where they are in Vietnamese already and what can read Vietnamese is installed;
    3. ``neutral``: the chapter's name, where in it we are, its end.

    ``Script.writer`` says which it was.
    """

    name = "offline"

    def __init__(
        self, settings: config.Writer, *, open_reader: Callable[[], ocr.Reader | str] = ocr.open_reader
    ) -> None:
        """``open_reader`` gives what reads bubbles, or the reason why nothing does."""
        self._settings = settings
        self._open_reader = open_reader

    def write(self, chapter: Chapter, image: Callable[[int], bytes], desk: Desk | None = None) -> Script:  # noqa: ARG002 - it asks nobody
        """See ``ports.Writer``. Raises BadSidecar."""
        kind, texts = self._texts(chapter, image)
        return Script(
            job_id=chapter.job_id,
            language=chapter.language,
            title=titles.of_chapter(chapter),
            description=neutral.description(chapter),
            scenes=tuple(
                Scene(index=n, panel=panel.index, text=text)
                for n, (panel, text) in enumerate(zip(chapter.panels, texts, strict=True))
            ),
            tags=neutral.tags(chapter),
            writer=kind,
        )

    def _texts(self, chapter: Chapter, image: Callable[[int], bytes]) -> tuple[str, list[str]]:
        if chapter.sidecar:
            texts = sidecar.lines(chapter, chapter.sidecar)
            if any(texts):
                return "sidecar", texts
        if self._settings.ocr:
            reader = self._open_reader()
            if isinstance(reader, str):
                _log.info("bubbles are not read: %s", reader)
            elif found := ocr.lines(chapter, image, reader):
                found[0] = f"{neutral.opening(chapter)} {found[0]}".strip()
                return "ocr", found
        return "neutral", neutral.lines(chapter)
