"""MangaDex against a fake that speaks its protocol: what is found, what is fetched, and at what pace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mangavid.errors import BadInput, SourceNotFound, SourceUnavailable
from mangavid.ports import Found
from tests.fakes.mangadex import made, mangadex, settings
from tests.fakes.mangadex_world import World
from tests.fakes.web import Fault


@pytest.fixture
def world() -> Iterator[World]:
    with mangadex() as site:
        yield World(site)


def numbers(found: list[Found]) -> list[str]:
    return [one.number for one in found]


# --- finding ---------------------------------------------------------------------------------------------------------


def test_chapters_come_in_the_order_of_their_numbers_each_once(world: World) -> None:
    title = world.site.title("Trăng")
    for number in ("10", "2", "1", "2.5", None, "Extra"):
        world.site.chapter(title, number)
    world.site.chapter(title, "2", groups=["Another group"], since="2025-01-01T00:00:00+00:00")
    world.site.chapter(title, "2", language="en", since="2026-05-01T00:00:00+00:00")
    world.site.chapter(title, "02.0", since="2024-05-01T00:00:00+00:00")
    found = list(world.source().find())
    assert numbers(found) == ["1", "2", "2.5", "10", "Extra", ""] or numbers(found) == [
        "1",
        "2",
        "2.5",
        "10",
        "",
        "Extra",
    ]
    assert found[1].identity == f"mangadex/{title}/2"
    assert {one.series for one in found} == {"Trăng"}
    assert {one.language for one in found} == {"vi"}
    assert all(one.ref.startswith("https://mangadex.org/chapter/") for one in found)


def test_the_first_language_wins_then_the_preferred_group_then_the_latest(world: World) -> None:
    title = world.site.title("Trăng")
    world.site.chapter(title, "1", language="en", since="2026-09-01T00:00:00+00:00")
    older = world.site.chapter(title, "1", groups=["Nhóm A"], since="2025-01-01T00:00:00+00:00")
    newer = world.site.chapter(title, "1", groups=["Nhóm B"], since="2026-01-01T00:00:00+00:00")
    english = world.site.chapter(title, "2", language="en")
    config = settings(world.site, titles=(title,))
    assert [one.ref[-36:] for one in world.source(config=config).find()] == [newer, english]
    for name in ("nhóm a", made("group Nhóm A")):
        preferring = settings(world.site, titles=(title,), groups=(name,))
        assert next(world.source(config=preferring).find()).ref[-36:] == older


def test_the_same_chapter_has_one_identity_whichever_upload_is_taken(world: World) -> None:
    title = world.site.title("Trăng")
    one, other = world.site.chapter(title, "7"), world.site.chapter(title, "7", language="en")
    named = world.source(f"https://mangadex.org/chapter/{one}", f"https://mangadex.org/chapter/{other}")
    assert len({(found.identity, found.series, found.number, found.language) for found in named.find()}) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"externalUrl": "https://elsewhere.example/read/1"}, id="on another site"),
        pytest.param({"pages": 0}, id="without pages"),
        pytest.param({"isUnavailable": True}, id="unavailable"),
        pytest.param({"readableAt": "2031-01-01T00:00:00+00:00"}, id="of the future"),
        pytest.param({"translatedLanguage": "fr"}, id="in another language"),
    ],
)
def test_a_chapter_that_cannot_be_read_is_not_found(world: World, attributes: dict[str, Any]) -> None:
    title = world.site.title("Trăng")
    world.site.chapter(title, "1", **attributes)
    world.site.chapter(title, "2")
    assert numbers(list(world.source().find())) == ["2"]


def test_a_long_title_is_read_page_by_page(world: World) -> None:
    title = world.site.title("Dài")
    for number in range(1, 1203):
        world.site.chapter(title, str(number), pages=1)
    assert numbers(list(world.source().find())) == [str(number) for number in range(1, 1203)]
    offsets = [request.query["offset"][0] for request in world.site.asked("/feed")]
    assert offsets == ["0", "500", "1000"]


def test_chapters_counted_anew_in_every_volume_stay_apart(world: World) -> None:
    title = world.site.title("Quyển", chapterNumbersResetOnNewVolume=True)
    for volume, number in (("2", "1"), ("1", "2"), ("1", "1")):
        world.site.chapter(title, number, volume=volume)
    found = list(world.source().find())
    assert [one.identity.split("/", 2)[2] for one in found] == ["v1/1", "v1/2", "v2/1"]


def test_titles_are_followed_by_address_id_or_exact_name(world: World) -> None:
    title = world.site.title("Trăng Lạnh")
    world.site.title("Trăng Lạnh 2")
    world.site.chapter(title, "1")
    for entry in (title, f"https://mangadex.org/title/{title}/slug", "  trăng   LẠNH ", "Trăng Lạnh tiếng Việt"):
        assert numbers(list(world.source(config=settings(world.site, titles=(entry,))).find())) == ["1"]


def test_a_name_that_is_not_there_names_the_nearest_after_the_other_titles(world: World) -> None:
    title = world.site.title("Trăng Lạnh")
    world.site.chapter(title, "1")
    found = world.source(config=settings(world.site, titles=("Trăng Lanh", title))).find()
    assert next(found).number == "1"
    with pytest.raises(SourceNotFound, match="nearest is «Trăng Lạnh»"):
        next(found)


def test_a_name_of_two_titles_is_not_guessed(world: World) -> None:
    world.site.title("Một", altTitles=[{"en": "Same"}])
    world.site.title("Hai", altTitles=[{"en": "same"}])
    with pytest.raises(SourceNotFound, match="name of 2 titles"):
        list(world.source(config=settings(world.site, titles=("Same",))).find())


def test_a_title_that_is_named_gives_all_its_chapters(world: World) -> None:
    title = world.site.title("Trăng")
    world.site.chapter(title, "2")
    world.site.chapter(title, "1")
    assert numbers(list(world.source(f"https://mangadex.org/title/{title}/x").find())) == ["1", "2"]


def test_a_rating_that_is_left_out_is_told(world: World) -> None:
    title = world.site.title("Trăng", contentRating="erotica")
    with pytest.raises(BadInput, match="rated erotica"):
        list(world.source(f"https://mangadex.org/title/{title}").find())


def test_nothing_to_follow_is_told(world: World) -> None:
    with pytest.raises(SourceNotFound, match=r"mangadex\.titles is empty"):
        list(world.source().find())


def test_an_address_of_another_site_is_told_before_anything_is_asked(world: World) -> None:
    with pytest.raises(SourceNotFound):
        list(world.source("https://mangadex.org/chapter/nonsense").find())
    assert world.site.ledger == []


# --- fetching --------------------------------------------------------------------------------------------------------


@pytest.fixture
def chapter(world: World) -> str:
    return world.site.chapter(world.site.title("Trăng"), "1", groups=["Nhóm Trăng", "Nhóm Sao"], pages=5)


def test_pages_come_in_the_listed_order_with_credits(world: World, chapter: str) -> None:
    fetched = world.fetch(chapter)
    assert [page.name for page in fetched.pages] == ["A2.png", "A1.png", "B4.png", "B3.png", "A6.png"]
    assert [page.data for page in fetched.pages] == list(world.site.pages[chapter].values())
    assert fetched.credits.source == "MangaDex"
    assert fetched.credits.authors == ("Vân Trần", "Minh Lê")
    assert fetched.credits.groups == ("Nhóm Trăng", "Nhóm Sao")
    assert fetched.credits.url == f"https://mangadex.org/chapter/{chapter}"
    assert fetched.direction == "rtl"
    assert fetched.notes == ("from MangaDex, in vi, by Nhóm Trăng, Nhóm Sao",)
    assert world.told[-1] == (5, 5)
    assert world.asked_for == [("mangadex", 10)]


@pytest.mark.parametrize(
    ("original", "strip", "direction"),
    [("ja", False, "rtl"), ("ko", False, "ltr"), ("ko", True, "ttb"), ("ja", True, "ttb"), (None, False, None)],
)
def test_the_direction_follows_the_original(world: World, original: Any, strip: bool, direction: Any) -> None:
    title = world.site.title("Trăng", original=original, strip=strip)
    assert world.fetch(world.site.chapter(title, "1", pages=1)).direction == direction


def test_deliveries_are_reported(world: World, chapter: str) -> None:
    world.fetch(chapter)
    reports = world.site.reports()
    assert len(reports) == 5
    assert all(report["success"] and report["cached"] and report["bytes"] > 0 for report in reports)
    assert set(reports[0]) == {"url", "success", "bytes", "duration", "cached"}


def test_the_smaller_pages_can_be_taken(world: World, chapter: str) -> None:
    fetched = world.fetch(chapter, config=settings(world.site, data_saver=True))
    assert {page.ext for page in fetched.pages} == {"jpg"}
    assert all("/data-saver/" in request.path for request in world.site.images.ledger)


def test_what_was_fetched_before_is_not_fetched_again(world: World, chapter: str) -> None:
    world.site.images.faults += [Fault("reset", "A6")] * 3
    with pytest.raises(SourceUnavailable):
        world.fetch(chapter)
    assert len(world.fetch(chapter).pages) == 5
    assert world.site.images.times_asked()[next(name for name in world.site.pages[chapter] if "A2" in name)] == 1
    asked, allowed = len(world.site.asked("/at-home")), len(world.asked_for)
    assert len(world.fetch(chapter).pages) == 5
    assert len(world.site.asked("/at-home")) == asked
    assert len(world.asked_for) == allowed


def test_a_page_on_the_shelf_that_was_damaged_is_fetched_anew(world: World, chapter: str) -> None:
    world.fetch(chapter)
    name = next(name for name in world.shelf.data if "A1" in name)
    world.shelf.data[name] = b"damaged"
    assert [page.data for page in world.fetch(chapter).pages] == list(world.site.pages[chapter].values())


def test_the_days_chapters_are_counted_before_any_page_is_asked_for(world: World, chapter: str) -> None:
    world.allowed = 0
    with pytest.raises(SourceUnavailable, match="ten chapters for guests are used up") as caught:
        world.fetch(chapter)
    assert "chapters_a_day" in caught.value.hint
    assert world.site.asked("/at-home") == []


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_requests_of_three_threads_break_no_limit(world: World) -> None:
    title = world.site.title("Trăng")
    chapters = [world.site.chapter(title, str(number), pages=1) for number in range(450)]
    world.site.enforced = True
    problems: list[BaseException] = []

    def look_up() -> None:
        try:
            assert len(list(world.source(*(f"https://mangadex.org/chapter/{one}" for one in chapters)).find())) == 450
        except BaseException as problem:
            problems.append(problem)

    def pages() -> None:
        try:
            source = world.source()
            for one in chapters[:100]:
                source._api.at_home(one)
            source._api.web.close()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=one) for one in (look_up, look_up, pages)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(world.site.ledger) >= 1000
    assert world.site.violations() == 0


def test_the_api_is_asked_at_nine_tenths_of_its_rate_at_least(world: World) -> None:
    title = world.site.title("Trăng")
    chapters = [world.site.chapter(title, str(number), pages=1) for number in range(100)]
    list(world.source(*(f"https://mangadex.org/chapter/{one}" for one in chapters)).find())
    assert len(world.site.ledger) / world.clock.monotonic() >= 0.9 * 5
    assert world.site.violations() == 0


def test_the_pages_of_a_chapter_come_at_nine_tenths_of_the_rate_at_least(world: World) -> None:
    chapter = world.site.chapter(world.site.title("Trăng"), "1", pages=60)
    world.site.images.latency = 0.1
    world.fetch(chapter)
    times = [request.at for request in world.site.images.ledger]
    assert len(times) == 60
    assert 0.9 * 5 <= 59 / (max(times) - min(times)) <= 5


def test_two_pages_are_on_their_way_at_once_and_never_more(world: World) -> None:
    chapter = world.site.chapter(world.site.title("Trăng"), "1", pages=20)
    world.site.images.slow = 0.05
    world.fetch(chapter)
    assert world.site.images.most == 2


def test_another_source_of_this_process_keeps_to_the_same_limits(world: World) -> None:
    title = world.site.title("Trăng")
    for _ in range(12):
        list(world.source(f"https://mangadex.org/title/{title}", known=None).find())
    assert world.site.violations() == 0
    assert world.clock.monotonic() > 4
