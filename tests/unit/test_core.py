"""Names, keys, stored documents, quota days, errors, fault points."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid import keys
from mangavid.errors import BadInput, MangavidError, by_name, every_error
from mangavid.models import Box, Panel, Piece, Scene, Script, decode, encode, job_of
from mangavid.quota import next_reset, quota_day

# --- keys ---


def test_a_job_id_is_readable_and_the_same_every_time() -> None:
    assert keys.job_id("s", "Đêm Trăng Rằm!", "12.5", "vi").startswith("dem-trang-ram-12-5-")
    assert keys.job_id("s", "t", "1", "vi") == keys.job_id("s", "t", "1", "vi")


@pytest.mark.parametrize("field", range(4))
def test_a_job_id_tells_chapters_apart_by_each_of_its_parts(field: int) -> None:
    parts = ["s", "t", "1", "vi"]
    other = list(parts)
    other[field] += "x"
    assert keys.job_id(*parts) != keys.job_id(*other)


@given(st.text(), st.text(), st.text())
def test_a_job_id_is_legal_whatever_the_chapter_is_called(source: str, title: str, chapter: str) -> None:
    # Lone surrogates can't be in a name: intake makes text of it first.
    clean = [part.encode("utf-8", "replace").decode() for part in (source, title, chapter)]
    job = keys.job_id(*clean, "vi")
    assert keys.JOB_ID.fullmatch(job)
    assert len(job) <= 64


def test_the_digest_of_the_same_things_is_the_same_in_any_order_of_keys() -> None:
    assert keys.digest({"a": 1, "b": 2}) == keys.digest({"b": 2, "a": 1})
    assert keys.digest("a", "b") != keys.digest("ab")


def test_temporary_prefixes_never_hold_a_final_file() -> None:
    final = keys.final("job", "0" * 16, 1, "video.mp4")
    assert not any(final.startswith(prefix) for prefix in keys.temporary_prefixes("job"))
    for key in (
        keys.page("job", "f" * 64, "png"),
        keys.manifest("job"),
        keys.script("job", "x"),
        keys.scene_audio("job", "x"),
        keys.speech("job", "x"),
        keys.segment("job", "x", "5e"),
        keys.soundtrack("job", "x"),
    ):
        assert any(key.startswith(prefix) for prefix in keys.temporary_prefixes("job"))


# --- documents ---


def script() -> Script:
    return Script(
        job_id="j", language="vi", title="t", description="", scenes=(Scene(index=0, panel=0, text="Xin chào"),)
    )


def test_a_document_is_the_same_bytes_every_time_and_comes_back_equal() -> None:
    assert encode(script()) == encode(script())
    assert decode(encode(script()), Script, name="script.json") == script()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"job_id": 1}', b"\xff", b'{"job_id": "\xff"}'])
def test_a_document_that_is_not_one_of_ours_is_named(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"script\.json"):
        decode(data, Script, name="script.json")


def test_a_document_of_a_newer_version_is_refused_not_misread() -> None:
    newer = msgspec.json.encode({"schema_version": 2, "scenes": "in another shape"})
    with pytest.raises(BadInput, match="newer mangavid"):
        decode(newer, Script, name="script.json")


def test_an_item_of_a_newer_version_is_refused_not_misread() -> None:
    with pytest.raises(BadInput, match="newer mangavid"):
        job_of({"key": "JOB#j", "schema_version": 2})


def test_boxes_are_arrays_in_json_and_know_their_sides() -> None:
    panel = Panel(index=0, pieces=(Piece(page=0, box=Box(1, 2, 3, 4)),))
    assert b'"box":[1,2,3,4]' in encode(panel)
    box = panel.pieces[0].box
    assert (box.right, box.bottom, box.area, panel.page) == (4, 6, 12, 0)


# --- the quota day ---


def test_the_quota_day_turns_at_midnight_pacific_in_winter_and_in_summer() -> None:
    assert quota_day(datetime(2026, 1, 15, 7, 59, 59, 999999, UTC)) == "2026-01-14"
    assert quota_day(datetime(2026, 1, 15, 8, 0, tzinfo=UTC)) == "2026-01-15"
    assert quota_day(datetime(2026, 7, 15, 6, 59, 59, tzinfo=UTC)) == "2026-07-14"
    assert quota_day(datetime(2026, 7, 15, 7, 0, tzinfo=UTC)) == "2026-07-15"


def test_ten_years_of_hours_give_every_day_once_with_days_of_23_and_25_hours() -> None:
    hour = datetime(2025, 1, 1, 8, tzinfo=UTC)
    lengths: dict[str, int] = {}
    while hour < datetime(2035, 1, 1, 8, tzinfo=UTC):
        lengths[quota_day(hour)] = lengths.get(quota_day(hour), 0) + 1
        hour += timedelta(hours=1)
    assert len(lengths) == 3652
    assert list(lengths) == sorted(lengths)
    assert sorted(lengths.values())[:10] == [23] * 10
    assert sorted(lengths.values())[-10:] == [25] * 10
    assert set(lengths.values()) == {23, 24, 25}


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_the_reset_is_the_first_moment_of_the_next_quota_day(now: datetime) -> None:
    reset = next_reset(now)
    assert now < reset <= now + timedelta(hours=25)
    assert quota_day(reset) > quota_day(now)
    assert quota_day(reset - timedelta(microseconds=1)) == quota_day(now)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        quota_day(datetime(2026, 1, 1))


# --- errors ---


def test_every_error_has_a_documented_exit_code_a_summary_and_a_name_of_its_own() -> None:
    names = [cls.__name__ for cls in every_error()]
    assert len(names) == len(set(names))
    for cls in every_error():
        assert cls.exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 130}
        assert cls.summary
        assert by_name(cls.__name__) is cls
    assert by_name("NotOurs") is None


def test_an_errors_hint_is_its_class_hint_unless_it_brings_its_own() -> None:
    cls = next(one for one in every_error() if one.default_hint)
    assert cls("x").hint == cls.default_hint
    assert cls("x", hint="do this").hint == "do this"
    assert isinstance(cls("x"), MangavidError)


# --- fault points ---


def passing(spec: str, ledger: Path, names: list[str]) -> subprocess.CompletedProcess[str]:
    code = (
        "from mangavid import faults\n" + "\n".join(f"faults.point({name!r}, 'd')" for name in names) + "\nprint('on')"
    )
    environment = {**os.environ, "MANGAVID_FAULT": spec, "MANGAVID_FAULT_LOG": str(ledger)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_a_fault_kills_at_the_nth_passing_once_and_the_ledger_has_every_passing(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    assert passing("b:kill:2", ledger, ["a", "b", "b", "b"]).returncode == -9
    assert ledger.read_text().splitlines() == ["a d", "b d", "b d", "! b"]
    assert passing("b:kill:2", ledger, ["b", "b"]).stdout == "on\n"


def test_a_fault_raises_where_it_is_told_to_and_no_point_costs_anything_without_one(tmp_path: Path) -> None:
    assert "FaultInjected: a" in passing("a:raise", tmp_path / "ledger", ["a"]).stderr
    done = subprocess.run(
        [sys.executable, "-c", "from mangavid import faults; faults.point('a'); print(faults._ON)"],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MANGAVID_")},
    )
    assert done.stdout == "False\n"
