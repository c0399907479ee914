"""A small site of a comic in the shape of Pepper&Carrot's: its lists of episodes, its languages, its pages.

The shapes are those of peppercarrot.com's documentation; the pages are drawn here.
"""

from __future__ import annotations

from typing import Any

from tests.drawn import encoded, small_page
from tests.fakes.web import FakeSite, Reply, Request, SharedClock, as_json

FIRST, SECOND = "ep01_Potion-of-Flight", "ep02_Rainbow-potions"


class FakePeppercarrot(FakeSite):
    """``lists``: which of the three lists of episodes there are."""

    def __init__(self, clock: SharedClock | None = None) -> None:
        super().__init__(clock)
        self.lists = {"episodes-v2.json", "episodes-v1.json", "episodes.json"}
        self.languages: Any = {
            "vi": {"translators": ["Nguyễn Hoa", "Lê Minh"], "local_name": "Tiếng Việt", "iso_code": "vi"},
            "en": {"translators": ["Alex"], "local_name": "English", "iso_code": "en"},
            "cn": {"translators": ["Ran"], "local_name": "中文", "iso_code": "zh"},
            "bad": {"translators": "nobody", "iso_code": 3},
        }
        self.episodes: list[Any] = [self.episode(FIRST, 4, ["cn", "en", "vi"]), self.episode(SECOND, 3, ["cn", "en"])]

    @staticmethod
    def episode(folder: str, pages: int, languages: list[str], **more: Any) -> dict[str, Any]:
        stem = f"Pepper-and-Carrot_by-David-Revoy_E{folder[2:4]}"
        comic = [f"{stem}P{page:02}.jpg" for page in range(pages)]
        return {
            "dir": folder,
            "translations": languages,
            "filenames": {"comic": comic, "title": f"{stem}.jpg"},
            **more,
        }

    def answer(self, request: Request) -> Reply:
        name = request.path.removeprefix("/0_sources/")
        if name in self.lists:
            return as_json([self.shaped(name, one) for one in self.episodes])
        if name == "langs.json":
            return as_json(self.languages)
        folder, _, rest = name.partition("/")
        for episode in self.episodes:
            if isinstance(episode, dict) and episode.get("dir") == folder and rest.count("/") == 1:
                language, _, file = rest.split("/")[1].partition("_")
                if language in episode["translations"] and file in episode["filenames"]["comic"]:
                    page = episode["filenames"]["comic"].index(file) + 1
                    return Reply(200, encoded(small_page(page), "JPEG", quality=90), {"Content-Type": "image/jpeg"})
        return Reply(404, b"<html>not found</html>")

    @staticmethod
    def shaped(name: str, episode: Any) -> Any:
        """An entry as each of the lists has it."""
        if name == "episodes-v2.json" or not isinstance(episode, dict):
            return episode
        comic = episode["filenames"]["comic"]
        older = {
            "name": episode["dir"],
            "total_pages": len(comic),
            "translated_languages": episode["translations"],
        }
        if name == "episodes.json":
            return older
        pages = {str(number): file for number, file in enumerate(comic)}
        return {**older, "pages": {"cover": f"gfx_{episode['filenames']['title']}", **pages}}
