"""MangaDex against a fake that speaks its protocol: what each fault leads to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mangavid.errors import BadInput, MangavidError, SourceNotFound, SourceUnavailable
from mangavid.ports import Found
from tests.fakes.mangadex import mangadex
from tests.fakes.mangadex_world import World
from tests.fakes.web import Fault, SharedClock, as_json, status


@pytest.fixture
def world() -> Iterator[World]:
    with mangadex() as site:
        yield World(site)


@pytest.fixture
def chapter(world: World) -> str:
    return world.site.chapter(world.site.title("Trăng"), "1", groups=["Nhóm Trăng", "Nhóm Sao"], pages=5)


def numbers(found: list[Found]) -> list[str]:
    return [one.number for one in found]


# --- faults ----------------------------------------------------------------------------------------------------------

API, IMAGE = "api", "image"
SOON = {"X_RateLimit_Retry_After": str(int(SharedClock().start.timestamp()) + 30)}
LATE = {"X_RateLimit_Retry_After": str(int(SharedClock().start.timestamp()) + 4000)}

RECOVERS = [
    pytest.param(API, [status(429, "/chapter", **SOON)], id="429 with a time is waited for"),
    pytest.param(API, [status(429, "/chapter", Retry_After="7")], id="429 with seconds is waited for"),
    pytest.param(API, [status(429, "/chapter")], id="429 without a time is tried again later"),
    pytest.param(API, [status(429, "/at-home", **SOON)], id="429 of at-home is waited for"),
    pytest.param(API, [status(500, "/chapter")], id="500 is tried again"),
    pytest.param(API, [status(502, "/manga"), status(503, "/manga")], id="502 and 503 are tried again"),
    pytest.param(API, [status(503, "/chapter", Retry_After="3")], id="503 with Retry-After is waited for"),
    pytest.param(API, [Fault("reset", "/chapter")], id="a reset API is tried again"),
    pytest.param(API, [Fault("cut", "/chapter")], id="a cut answer is asked for again"),
    pytest.param(API, [Fault("stall", "/manga")], id="a silent API is tried again"),
    pytest.param(API, [Fault("garbage", "/manga")], id="an API that speaks no HTTP is tried again"),
    pytest.param(API, [status(200, "/chapter", b"<html>busy</html>")], id="a web page for JSON is asked for again"),
    pytest.param(API, [status(200, "/chapter", b'{"result":"ok","data":[]}')], id="a wrong shape is asked for again"),
    pytest.param(API, [status(200, "/at-home", b'{"baseUrl":3}')], id="a wrong at-home answer is asked for again"),
    pytest.param(API, [status(500, "/report"), Fault("reset", "/report")], id="a report that fails changes nothing"),
    pytest.param(IMAGE, [status(404)], id="a page's 404 is asked of another server"),
    pytest.param(IMAGE, [status(403)], id="a page's 403 asks for a new base URL"),
    pytest.param(IMAGE, [status(500), status(502)], id="a page's 5xx are asked of other servers"),
    pytest.param(IMAGE, [status(429, Retry_After="9")], id="a page's 429 is waited for"),
    pytest.param(IMAGE, [Fault("wrong")], id="wrong bytes are asked of another server"),
    pytest.param(IMAGE, [Fault("cut")], id="half a page is asked of another server"),
    pytest.param(IMAGE, [Fault("reset")], id="a reset page is asked of another server"),
    pytest.param(IMAGE, [Fault("stall")], id="a silent image server is left for another"),
    pytest.param(IMAGE, [Fault("drip")], id="a page of single bytes is left at the deadline"),
    pytest.param(IMAGE, [Fault("brotli")], id="an unasked encoding is left for another server"),
    pytest.param(IMAGE, [status(302, Location="http://169.254.169.254/")], id="a redirect is not followed"),
    pytest.param(IMAGE, [status(200, body=b"<html>sorry</html>")], id="a web page for a page is fetched anew"),
]


@pytest.mark.parametrize(("where", "faults"), RECOVERS)
def test_it_recovers(world: World, chapter: str, where: str, faults: list[Fault]) -> None:
    (world.site if where == API else world.site.images).faults += faults
    fetched = world.fetch(chapter)
    assert [page.data for page in fetched.pages] == list(world.site.pages[chapter].values())
    assert fetched.skipped == ()
    assert world.site.violations() == 0
    if where == IMAGE:
        assert [report["success"] for report in world.site.reports()].count(False) == len(faults)
        assert len(world.site.asked("/at-home")) >= 2
    assert max(world.site.images.times_asked().values()) <= 3


EMPTY = as_json({"result": "ok", "baseUrl": "https://x.org", "chapter": {"hash": "", "data": [], "dataSaver": []}}).body

ENDS = [
    pytest.param(
        API,
        [status(429, "/chapter", **LATE)],
        SourceUnavailable,
        "takes the next one at 09:0",
        id="429 for over an hour ends and says when",
    ),
    pytest.param(
        API, [status(500, "/chapter")] * 4, SourceUnavailable, "answered 500", id="lasting 500 ends as unavailable"
    ),
    pytest.param(
        API, [Fault("reset", "/chapter")] * 4, SourceUnavailable, "cut", id="lasting resets end as unavailable"
    ),
    pytest.param(API, [status(404, "/chapter")], SourceNotFound, "has no chapter", id="404 of a chapter is not found"),
    pytest.param(API, [status(401, "/manga")], SourceUnavailable, "login", id="401 says that a login is wanted"),
    pytest.param(API, [status(403, "/manga")], SourceUnavailable, "refuses", id="403 of the API ends at once"),
    pytest.param(API, [status(403, "/at-home")], SourceUnavailable, "guests", id="403 of at-home is the guests' limit"),
    pytest.param(API, [status(401, "/at-home")], SourceUnavailable, "guests", id="401 of at-home is the guests' limit"),
    pytest.param(
        API,
        [status(302, "/chapter", Location="http://127.0.0.1:1/")],
        SourceUnavailable,
        "302",
        id="a redirect of the API ends",
    ),
    pytest.param(API, [Fault("bomb", "/chapter")], SourceUnavailable, "larger", id="a gzip bomb ends at its limit"),
    pytest.param(
        API, [status(200, "/at-home", EMPTY)], BadInput, "no pages", id="empty lists are a chapter of another site"
    ),
    pytest.param(
        IMAGE,
        [Fault("reset", "A2")] * 3,
        SourceUnavailable,
        "image servers",
        id="a page that is always cut ends as unavailable",
    ),
]


@pytest.mark.parametrize(("where", "faults", "error", "says"), ENDS)
def test_it_ends(
    world: World, chapter: str, where: str, faults: list[Fault], error: type[MangavidError], says: str
) -> None:
    (world.site if where == API else world.site.images).faults += faults
    with pytest.raises(error, match=says):
        world.fetch(chapter)
    assert world.site.violations() == 0


def test_a_page_that_is_gone_everywhere_is_left_out_and_told(world: World, chapter: str) -> None:
    world.site.images.faults += [status(404, "B4")] * 3
    fetched = world.fetch(chapter)
    assert len(fetched.pages) == 4
    assert fetched.skipped == ("B4.png: could not be fetched: its server answered 404",)


def test_a_chapter_most_pages_of_which_are_wrong_is_bad_and_not_asked_for_to_the_end(world: World) -> None:
    chapter = world.site.chapter(world.site.title("Trăng"), "1", pages=30)
    world.site.images.faults += [Fault("wrong")] * 90
    with pytest.raises(BadInput, match="too many of its 30 pages"):
        world.fetch(chapter)
    assert len(world.site.images.ledger) < 20


def test_after_a_refusal_nothing_is_asked_for_some_minutes(world: World, chapter: str) -> None:
    world.site.faults.append(status(403, "/chapter"))
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="refuses"):
            world.fetch(chapter)
    assert len(world.site.ledger) == 1
    world.clock.sleep(601)
    assert len(world.fetch(chapter).pages) == 5


def test_after_the_guests_limit_at_home_is_left_alone(world: World, chapter: str) -> None:
    world.site.faults.append(status(403, "/at-home"))
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="guests"):
            world.fetch(chapter)
    assert len(world.site.asked("/at-home")) == 1


@pytest.mark.parametrize(
    "base",
    [
        "http://169.254.169.254",
        "http://10.0.0.1",
        "https://evil.example",
        "http://localhost:{port}",
        "file:///etc",
        "x",
    ],
)
def test_an_image_server_that_is_not_listed_is_not_asked(world: World, chapter: str, base: str) -> None:
    world.site.bases = [base.replace("{port}", world.site.base.rpartition(":")[2])]
    assert len(world.fetch(chapter).pages) == 5
    assert all(report["success"] for report in world.site.reports())


def test_a_chapter_that_changes_while_it_is_fetched_is_told(world: World, chapter: str) -> None:
    world.site.images.faults.append(status(404))
    files = list(world.site.pages[chapter])
    changed = {
        "result": "ok",
        "baseUrl": world.site.images.base,
        "chapter": {"hash": "a", "data": files[1:], "dataSaver": []},
    }
    same = {**changed, "chapter": {"hash": "a", "data": files, "dataSaver": []}}
    world.site.faults += [status(200, "/at-home", as_json(one).body) for one in (same, changed)]
    with pytest.raises(SourceUnavailable, match="changed"):
        world.fetch(chapter)


def test_file_names_that_are_paths_are_refused(world: World, chapter: str) -> None:
    evil = {
        "result": "ok",
        "baseUrl": world.site.images.base,
        "chapter": {"hash": "a", "data": ["../../x.png"], "dataSaver": []},
    }
    world.site.faults += [status(200, "/at-home", as_json(evil).body)] * 4
    with pytest.raises(SourceUnavailable, match="makes no sense"):
        world.fetch(chapter)
    assert world.site.images.ledger == []


def test_a_machine_whose_clock_is_wrong_waits_as_long_as_the_server_means(world: World, chapter: str) -> None:
    world.site.faults.append(status(429, "/chapter", **SOON))
    world.source().find()
    behind = SharedClock(world.clock.start.replace(year=2020))
    behind.sleep(5)
    source = world.source(f"https://mangadex.org/chapter/{chapter}")
    for asker in (source._api._asker, source._images):
        asker.clock = behind
    assert len(list(source.find())) == 1
    assert 25 <= max(behind.slept) <= 32


def test_one_chapter_of_the_feed_that_makes_no_sense_hides_no_other(world: World) -> None:
    title = world.site.title("Trăng")
    world.site.chapter(title, "1")
    odd = world.site.chapter(title, "2")
    world.site.chapters[odd]["attributes"] = None
    world.site.chapters[odd]["relationships"] = [{"id": title, "type": "manga"}]
    world.site.chapter(title, "3", title=None, volume=None, version=None)
    assert numbers(list(world.source().find())) == ["1", "3"]


def test_text_from_outside_is_cleaned(world: World) -> None:
    title = world.site.title("Tră\u202eng\x1b[31m", altTitles="none")
    world.site.chapter(title, "1", title="Một\nhai\u200b", groups=["Nhóm\x00 X"], pages=1)
    (found,) = world.source().find()
    assert (found.series, found.title) == ("Trăng[31m", "Một hai")
    assert world.source().fetch(found).credits.groups == ("Nhóm X",)
