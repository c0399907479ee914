"""Pepper&Carrot against a fake of its site: what is found, what is fetched, and what each fault leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mangavid.config import Peppercarrot
from mangavid.errors import BadInput, MangavidError, SourceNotFound, SourceUnavailable
from mangavid.ports import Fetched
from mangavid.sources.asking import Manners, Pace
from mangavid.sources.peppercarrot import PeppercarrotSource
from mangavid.sources.remote import provider_of
from tests.fakes.peppercarrot import FIRST, SECOND, FakePeppercarrot
from tests.fakes.web import Fault, as_json, served, status


class World:
    def __init__(self, site: FakePeppercarrot) -> None:
        self.site = site
        self.shelf: dict[str, bytes] = {}
        self.told: list[tuple[int, int]] = []

    def get(self, name: str) -> bytes | None:
        return self.shelf.get(name)

    def put(self, name: str, data: bytes) -> None:
        self.shelf[name] = data

    def source(self, *named: str, languages: tuple[str, ...] = ("vi", "en"), **more: Any) -> PeppercarrotSource:
        return PeppercarrotSource(
            Peppercarrot(address=f"{self.site.base}/0_sources", **more),
            languages,
            language="vi",
            clock=self.site.clock,
            shelf=lambda _found: self,
            progress=lambda _found, done, total: self.told.append((done, total)),
            named=named,
            known=Manners(site=Pace(spacing=0.3)),
            connect=2.0,
            read=0.3,
            deadline=3.0,
            jitter=lambda: 0.5,
        )

    def fetch(self, folder: str = FIRST, **more: Any) -> Fetched:
        source = self.source(f"https://www.peppercarrot.com/0_sources/{folder}", **more)
        (found,) = source.find()
        return source.fetch(found)


@pytest.fixture
def world() -> Iterator[World]:
    site = FakePeppercarrot()
    with served(site):
        yield World(site)


def pages_of(fetched: Fetched) -> list[str]:
    return [page.name.rpartition("P")[2] for page in fetched.pages]


def test_episodes_come_in_order_each_in_the_first_language_it_is_in(world: World) -> None:
    first, second = world.source().find()
    assert first.ref == f"https://www.peppercarrot.com/vi/webcomic/{FIRST}.html"
    assert second.ref == f"https://www.peppercarrot.com/en/webcomic/{SECOND}.html"
    assert (first.series, first.number, first.title) == ("Pepper&Carrot", "1", "Potion of Flight")
    assert (first.identity, first.language) == (f"peppercarrot/{FIRST.lower()}", "vi")


def test_pages_come_in_order_with_credits_and_licence(world: World) -> None:
    fetched = world.fetch()
    assert pages_of(fetched) == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
    assert fetched.credits.authors == ("David Revoy",)
    assert fetched.credits.translators == ("Nguyễn Hoa", "Lê Minh")
    assert fetched.credits.licence == "CC BY 4.0"
    assert fetched.credits.source == "Pepper&Carrot"
    assert fetched.credits.url == f"https://www.peppercarrot.com/vi/webcomic/{FIRST}.html"
    assert fetched.direction == "ltr"
    assert world.told[-1] == (4, 4)
    assert all("/hi-res/vi_" in request.path for request in world.site.asked(".jpg"))


def test_people_that_the_list_names_are_credited(world: World) -> None:
    people = {"Script": ["Craig"], "Translation": ["Hoa"], "Odd": 3}
    world.site.episodes[0] = world.site.episode(FIRST, 2, ["vi"], authors=["Nartance"], credits=people)
    credits = world.fetch().credits
    assert credits.authors == ("David Revoy", "Nartance", "Craig")
    assert credits.translators == ("Hoa",)


def test_smaller_pages_can_be_taken(world: World) -> None:
    world.fetch(resolution="low-res")
    assert all("/low-res/" in request.path for request in world.site.asked(".jpg"))


@pytest.mark.parametrize("lists", [("episodes-v1.json",), ("episodes.json",), ("episodes-v1.json", "episodes.json")])
def test_older_lists_of_episodes_will_do(world: World, lists: tuple[str, ...]) -> None:
    world.site.lists = set(lists)
    fetched = world.fetch()
    assert pages_of(fetched) == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
    assert fetched.skipped == ()


def test_a_language_goes_by_the_comics_own_code(world: World) -> None:
    assert next(world.source(languages=("zh", "en")).find()).ref.split("/")[3] == "cn"


def test_an_address_with_a_language_is_taken_in_that_language(world: World) -> None:
    (found,) = world.source(f"https://peppercarrot.com/en/webcomic/{FIRST}.html").find()
    assert found.ref.split("/")[3] == "en"
    assert found.identity == next(world.source().find()).identity


def test_what_was_fetched_before_is_not_fetched_again(world: World) -> None:
    world.site.faults += [status(500, "P02")] * 4
    with pytest.raises(SourceUnavailable):
        world.fetch()
    world.fetch()
    world.fetch()
    asked = [request.path for request in world.site.asked(".jpg")]
    assert len([path for path in asked if "P00" in path]) == 1
    assert len([path for path in asked if "P03" in path]) == 1


RECOVERS = [
    pytest.param([status(500, "episodes")], id="500 of the list is tried again"),
    pytest.param([status(503, "episodes", Retry_After="5")], id="503 with Retry-After is waited for"),
    pytest.param([status(429, "episodes", Retry_After="9")], id="429 is waited for"),
    pytest.param([Fault("reset", "episodes")], id="a reset list is asked for again"),
    pytest.param([Fault("cut", "episodes")], id="half a list is asked for again"),
    pytest.param([Fault("stall", "episodes")], id="a silent server is tried again"),
    pytest.param([status(200, "episodes", b"<html>busy</html>")], id="a web page for the list is asked for again"),
    pytest.param([status(200, "episodes", b'{"a": 1}')], id="a list of another shape is asked for again"),
    pytest.param([Fault("garbage", "langs")], id="languages that are no HTTP are asked for again"),
    pytest.param([status(404, "langs")], id="no list of languages costs the translators only"),
    pytest.param([status(200, "langs", b"[1]")], id="an odd list of languages costs the translators only"),
    pytest.param([status(502, "P01"), Fault("reset", "P01")], id="a page's failures are tried again"),
    pytest.param([Fault("cut", "P01")], id="half a page is asked for again"),
    pytest.param([Fault("drip", "P01")], id="a page of single bytes is left at the deadline"),
    pytest.param([status(200, "P01", b"<html>sorry</html>")], id="a web page for a page is asked for again"),
]


@pytest.mark.parametrize("faults", RECOVERS)
def test_it_recovers(world: World, faults: list[Fault]) -> None:
    world.site.faults += faults
    fetched = world.fetch()
    assert len(fetched.pages) == 4
    assert fetched.skipped == ()
    assert fetched.credits.authors == ("David Revoy",)


ENDS = [
    pytest.param([status(500, "episodes")] * 4, SourceUnavailable, "500", id="lasting 500 ends as unavailable"),
    pytest.param([status(429, "episodes", Retry_After="9999")], SourceUnavailable, "takes the next", id="a long 429"),
    pytest.param([status(302, "episodes", Location="http://10.0.0.1/")], SourceUnavailable, "302", id="a redirect"),
    pytest.param([Fault("bomb", "episodes")], SourceUnavailable, "larger", id="a gzip bomb ends at its limit"),
    pytest.param([Fault("brotli", "P01")], SourceUnavailable, "not asked for", id="an encoding nobody asked for"),
    pytest.param([Fault("reset", "P01")] * 4, SourceUnavailable, "cut", id="a page that is always cut"),
    pytest.param([status(404, "episodes")] * 3, SourceNotFound, "no list of episodes", id="no list anywhere"),
    pytest.param([status(404, "P0")] * 4, BadInput, "too many of its", id="pages that are not there"),
]


@pytest.mark.parametrize(("faults", "error", "says"), ENDS)
def test_it_ends(world: World, faults: list[Fault], error: type[MangavidError], says: str) -> None:
    world.site.faults += faults
    with pytest.raises(error, match=says):
        world.fetch()


def test_one_page_that_is_not_there_is_left_out_and_told(world: World) -> None:
    world.site.faults.append(status(404, "P02"))
    fetched = world.fetch()
    assert len(fetched.pages) == 3
    assert "P02.jpg: is not there (its server answered 404)" in fetched.skipped[0]


def test_entries_that_make_no_sense_hide_no_others(world: World) -> None:
    good = world.site.episodes[0]
    odd = {**good, "dir": "../../etc"}
    evil = {**good, "dir": "ep09_X", "filenames": {"comic": ["../../../etc/passwd"]}}
    world.site.faults.append(
        status(200, "episodes", as_json([1, None, {}, odd, evil, {**good, "translations": 3}, good]).body)
    )
    assert [found.number for found in world.source().find()] == ["1"]


def test_an_episode_that_is_not_there_names_the_nearest(world: World) -> None:
    with pytest.raises(SourceNotFound, match=f"did you mean {FIRST}"):
        world.fetch("ep01_Potion-of-Fright")


def test_an_episode_in_no_wanted_language_says_which_it_is_in(world: World) -> None:
    with pytest.raises(SourceNotFound, match="not in vi") as caught:
        world.fetch(SECOND, languages=("vi",))
    assert "cn, en" in caught.value.hint


@pytest.mark.parametrize(
    ("ref", "provider"),
    [
        ("https://mangadex.org/chapter/0f5a4a1e-1111-4222-8333-123456789abc", "mangadex"),
        ("https://www.mangadex.org/chapter/0F5A4A1E-1111-4222-8333-123456789ABC/3?x=y#z", "mangadex"),
        ("https://mangadex.org/title/0f5a4a1e-1111-4222-8333-123456789abc/some-slug", "mangadex"),
        (f"https://www.peppercarrot.com/vi/webcomic/{FIRST}.html", "peppercarrot"),
        (f"https://peppercarrot.com/0_sources/{FIRST}/", "peppercarrot"),
    ],
)
def test_addresses_are_told_apart(ref: str, provider: str) -> None:
    assert provider_of(ref) == provider


@pytest.mark.parametrize(
    "ref",
    [
        "https://mangadex.org/",
        "https://mangadex.org/group/0f5a4a1e-1111-4222-8333-123456789abc",
        "https://mangadex.org.evil.test/chapter/0f5a4a1e-1111-4222-8333-123456789abc",
        "https://www.peppercarrot.com/en/webcomic/../../x.html",
        "https://example.org/chapter/1",
        "https://",
    ],
)
def test_an_address_of_others_says_which_are_understood(ref: str) -> None:
    with pytest.raises(SourceNotFound, match="not an address that chapters are taken from") as caught:
        provider_of(ref)
    assert "mangadex.org/chapter" in caught.value.hint
