"""What came of a scenario on one target: what is compared, and what must hold for every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from mangavid import keys, protocol
from mangavid.ports import Execution, Item
from mangavid.states.outcome import outcome_of
from tests.integration.alike.machines import chapter_job
from tests.integration.alike.stages import Stage

#: A round from FetchManga to CheckMoreVideos passes each state once at most, and HandleError.
_STATES_A_ROUND: Final = 16
#: With so many failures a chapter is quarantined.
_MOST_ATTEMPTS: Final = 3
#: Quota days that a scenario can reach.
_DAYS: Final = 4

#: The one place where what differs by nature is left out, each with its reason.
UNLIKE: Final = {
    "created_at updated_at dispatched_at heartbeat_at started_at not_before": (
        "here a dead process is seen at once, on AWS after 300 s without a heartbeat: the times differ"
    ),
    "token instance lease_owner": "names that each target makes up",
    "cause hint last_cause last_hint last_failure": (
        "the texts and times of errors: AWS's services have their own words"
    ),
    "counted sources": (
        "here a run's item is opened by who starts it, with what was asked; on AWS by CheckQuota, so that of one that "
        "was stopped before there is none: one without its execution is left out"
    ),
    "key": "it says the job's id once more",
    "sfn_retry stalled epoch token_epoch ckpt_at_dispatch last_interruption": (
        "here a worker that drains leaves its token to the next, on AWS it answers SpotInterrupted and the state is "
        "retried: how often is told by these, and what comes of it is not"
    ),
}
_LEFT_OUT: Final = frozenset(name for names in UNLIKE for name in names.split())


class Ended:
    """What stands in the table and the journal when all is over, read once."""

    def __init__(self, stage: Stage) -> None:
        target = stage.target
        self.jobs = {str(item["job_id"]): item for item in target.jobs.by_status()}
        self.runs = {str(item["name"]): item for item in target.jobs.runs() if "execution" in item}
        days = (stage.day(n) for n in range(_DAYS))
        self.days = {day: item for day in days if (item := target.jobs.get(keys.quota_item(day)))}
        self.executions = {name: target.executions.describe(arn) for name, arn in stage.executions.items()}
        self.paths = {name: _path(stage, one) for name, one in self.executions.items()}


def outcome(stage: Stage, ended: Ended) -> dict[str, Any]:
    """What two targets must have alike."""
    target = stage.target
    return {
        "jobs": {name: _facts(item) for name, item in ended.jobs.items()},
        "runs": {name: _facts(item) for name, item in ended.runs.items()},
        "days": {day: _facts(item) for day, item in ended.days.items()},
        "lock": _name((target.jobs.get(keys.LOCK) or {}).get("owner", "")),
        "executions": {
            name: (one.status, one.error, _quota(one), ended.paths[name]) for name, one in ended.executions.items()
        },
        "told": {name: _told(stage, one) for name, one in ended.executions.items()},
        "objects": sorted(_plain_key(one.key) for one in target.objects.list("jobs/")),
        "published": stage.publisher.videos,
        "fetched": stage.shelf.fetched,
        "written": stage.writer.written,
        "said": sorted(stage.voice.said),
    }


def wrongs(stage: Stage, ended: Ended) -> list[str]:
    """What does not hold though it must, whatever happens; empty where all is well."""
    found = [*stage.wrongs, *_of_videos(stage, ended)]
    found += [f"{one.instance} still lives" for one in stage.target.instances.list()]
    bound = 4 + _STATES_A_ROUND * (stage.scenario.quota + protocol.MAX_FAILURES_IN_A_ROW)
    for name, one in ended.executions.items():
        if one.status == "RUNNING":
            found.append(f"{name} still runs")
        if (passed := len(ended.paths[name])) > bound:
            found.append(f"{name} passed {passed} states, more than {bound}")
    return found + [text for item in ended.jobs.values() for text in _of_job(stage, ended, item)]


def _of_videos(stage: Stage, ended: Ended) -> Iterator[str]:
    """Published once, counted once, and never more than the day allows."""
    quota, videos = stage.scenario.quota, stage.publisher.videos
    recorded = {job_id for job_id, item in ended.jobs.items() if item.get("video_id")}
    surprising = _surprising(stage, ended)
    yield from (f"{job_id} has two videos" for job_id, times in Counter(videos).items() if times > 1)
    yield from (f"{job_id} is recorded and was never published" for job_id in recorded - set(videos))
    counted: Counter[str] = Counter()
    for day, item in ended.days.items():
        members = frozenset(item.get("jobs", ()))
        before = {one for one in members if one.startswith("before-")}
        counted.update(members - before)
        count = protocol.count(item)
        published = sum(ended.jobs[job_id].get("quota_day") == day for job_id in recorded)
        if count != len(before) + published:
            yield f"on {day} {count} are counted, and {len(before)} + {published} were published"
        if count > max(quota, len(before)) + len(surprising):
            yield f"on {day} {count} are counted, over the quota of {quota}"
        if (made := stage.publisher.days[day]) > max(0, quota - len(before)) + len(surprising):
            yield f"on {day} {made} videos were published, over the quota of {quota}, {len(before)} of it used before"
    if counted != Counter(recorded):
        yield f"published {sorted(recorded)}, counted {sorted(counted.elements())}"


def _surprising(stage: Stage, ended: Ended) -> set[str]:
    """Chapters that were given up at their upload and published all the same: the uploader died, or was cut off,
    between publishing and recording. Until it is recorded nobody knows that such a video took a place of the day's
    quota, so that a run may make one too many: docs/protocol.md, «What is not».
    """
    failed = {job_id for run in ended.runs.values() for job_id in run.get("failed", ())}
    return failed.intersection(stage.publisher.videos)


def _of_job(stage: Stage, ended: Ended, item: Item) -> list[str]:
    found = []
    job_id, status = str(item["job_id"]), str(item["status"])
    below = [one.key for one in stage.target.objects.list(f"jobs/{job_id}/")]
    temporary = [key for key in below if key.startswith(keys.temporary_prefixes(job_id))]
    if temporary and (status == "cleaned" or (status == "uploaded" and item["updated_at"] < stage.looked_at)):
        found.append(f"{job_id} is {status}, and these are left: {temporary}")
    if item.get("video_id") and status not in protocol.FINISHED:
        found.append(f"{job_id} is published and {status}")
    if item.get("rendered"):
        missing = {item["rendered"][kind]["key"] for kind in keys.FILES} - set(below)
        found += [f"{job_id} points at {key}, which is gone" for key in missing]
    attempts, failures = (
        int(item.get("attempts", 0)),
        sum(job_id in run.get("failed", ()) for run in ended.runs.values()),
    )
    if attempts > failures:
        found.append(f"{job_id} failed in {failures} runs, and {attempts} attempts are written down")
    if attempts > _MOST_ATTEMPTS or (attempts == _MOST_ATTEMPTS and status == "failed"):
        found.append(f"{job_id} is {status} after {attempts} attempts")
    settled = (*protocol.FINISHED, "failed", "quarantined", "awaiting_upload", "interrupted")
    holder = ended.executions[_name(str(item["execution"]))]
    if status not in settled and holder.status == "SUCCEEDED":
        found.append(f"{job_id} is {status}, though the execution that has it went on and ended")
    if job_id not in {chapter_job(one.name) for one in stage.scenario.chapters}:
        found.append(f"{job_id} is no chapter of the shelf")
    return found


def _facts(item: Item) -> Item:
    kept = {name: value for name, value in item.items() if name not in _LEFT_OUT}
    if "execution" in kept:
        kept["execution"] = _name(kept["execution"])
    if "rendered" in kept:
        kept["rendered"] = {
            name: _plain_key(value["key"]) if isinstance(value, dict) else value
            for name, value in kept["rendered"].items()
            if name != "epoch"
        }
    return dict(sorted(kept.items()))


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _plain_key(key: str) -> str:
    """Without the epoch in the keys of finished files."""
    parts = key.split("/")
    return "/".join(parts[:4] + parts[5:]) if len(parts) == 6 and parts[2] == "final" else key


def _path(stage: Stage, execution: Execution) -> list[str]:
    events = stage.target.executions.history(execution.arn)
    return [event["stateEnteredEventDetails"]["name"] for event in events if event["type"].endswith("StateEntered")]


def _quota(execution: Execution) -> Any:
    return (execution.output or {}).get("quota")


def _told(stage: Stage, execution: Execution) -> Any:
    """What a person is told of a run."""
    told = outcome_of(stage.target, [execution])
    made = [one.job_id for one in told.made]
    failed = [(one.job_id, one.state, one.error) for one in told.failed]
    return told.exit_code, told.quota_reached, made, failed, told.skipped
