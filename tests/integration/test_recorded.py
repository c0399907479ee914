"""Recorded histories, replayed. ``MANGAVID_RECORDINGS=DIR`` adds a folder of recordings (AWS's own, say)."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from tests.recorded.__main__ import main
from tests.recorded.reading import Recording, definitions, recordings
from tests.recorded.replaying import judge

OWN = Path(__file__).parent.parent / "fixtures" / "recordings"
FOLDERS = [OWN, *([Path(os.environ["MANGAVID_RECORDINGS"])] if os.environ.get("MANGAVID_RECORDINGS") else [])]
CASES = [(folder, recording) for folder in FOLDERS for recording in recordings(folder)]


@pytest.mark.parametrize(("folder", "recording"), CASES, ids=[recording.name for _, recording in CASES])
def test_a_recorded_history_comes_out_the_same_or_is_refused_for_a_reason(folder: Path, recording: Recording) -> None:
    result = judge(recording, definitions(folder))
    assert result.verdict != "different", "\n".join((result.definition, *result.detail))
    if result.verdict == "refused":
        assert all("not implemented" in reason for reason in result.detail)


def _own(name: str) -> Recording:
    return next(recording for recording in recordings(OWN) if recording.name.endswith(name))


def test_of_our_own_recordings_only_the_map_is_refused() -> None:
    verdicts = {recording.name: judge(recording, definitions(OWN)).verdict for recording in recordings(OWN)}
    assert [name for name, verdict in verdicts.items() if verdict != "equal"] == ["own test_each"]
    assert len(verdicts) >= 8


@pytest.mark.parametrize(
    ("at", "field", "value"),
    [
        (4, "type", "TaskFailed"),
        (5, "previousEventId", 3),
        (6, "taskTimedOutEventDetails", {"error": "States.HeartbeatTimeout"}),
    ],
)
def test_a_history_that_was_tampered_with_is_different(at: int, field: str, value: object) -> None:
    recording = _own("test_a_worker_dies_twice")
    events = copy.deepcopy(recording.events)
    events[at - 1][field] = value
    result = judge(Recording(recording.name, None, events), definitions(OWN))
    assert result.verdict == "different"
    assert any(f"event {at} " in line for line in result.detail)


def test_one_token_for_two_attempts_is_different() -> None:
    recording = _own("test_a_worker_dies_twice")
    events = copy.deepcopy(recording.events)
    for event in events:
        scheduled = event.get("taskScheduledEventDetails")
        if scheduled:
            scheduled["parameters"]["Payload"]["token"] = "<task_token:1>"
    result = judge(Recording(recording.name, None, events), definitions(OWN))
    assert result.verdict == "different"
    assert "token" in result.detail[0]


def test_the_summary_fails_where_nothing_was_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "histories").mkdir()
    assert main(tmp_path) == 1
    assert "nothing to replay" in capsys.readouterr().out
