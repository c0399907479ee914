"""FetchManga: take the next chapter, and put its pages and panels into the object store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from mangavid import keys, protocol
from mangavid.errors import ConditionFailed, SourceNotFound
from mangavid.models import Chapter, Direction, Page, encode
from mangavid.ports import Fetched, Found, Item, Target
from mangavid.states.runs import Event, Result, now, run_of


def handle(target: Target, event: Event) -> Result:
    """``{"status", "job_id"}``: success, awaiting_upload, no_manga_available or nothing_but_failures.

    A run that was interrupted here, or is retried, goes on with the chapter it had taken.
    """
    run = run_of(target, event)
    waiting = _waiting(target, event, run)
    if waiting:
        return {"status": "awaiting_upload", "job_id": waiting}
    found = _take(target, event, run)
    if found is None:
        return {"status": _nothing_left(run), "job_id": ""}
    job_id = job_of_found(found)
    _bring(target, event, run, found, job_id)
    return {"status": "success", "job_id": job_id}


def job_of_found(found: Found) -> str:
    return keys.job_id(found.identity, found.series or found.title, found.number, found.language)


def _nothing_left(run: Item) -> str:
    only_failures = run.get("failed") and not run.get("made")
    return "nothing_but_failures" if only_failures else "no_manga_available"


def _running(target: Target, item: Item | None, mine: str) -> bool:
    owner = (item or {}).get("execution", "")
    if not owner or owner == mine:
        return False
    try:
        return target.executions.describe(owner).status == "RUNNING"
    except SourceNotFound:
        return False


def _waiting(target: Target, event: Event, run: Item) -> str:
    """A job whose video waits for quota, oldest first; taken like any other chapter."""
    if run.get("sources"):
        return ""
    stamp = now(target)
    for item in sorted(target.jobs.by_status("awaiting_upload"), key=lambda one: str(one.get("updated_at", ""))):
        job_id = str(item["job_id"])
        if str(item.get("not_before", "")) > stamp or job_id in run.get("attempted", ()):
            continue
        if _claim(target, event, item, job_id, {}, again=False):
            return job_id
    return ""


def _take(target: Target, event: Event, run: Item) -> Found | None:
    """The chapter this run works on now: the one it holds, else the next it may take, claimed."""
    current = str(run.get("current", ""))
    ended = frozenset(run.get("made", ())) | frozenset(run.get("failed", ()))
    again = bool(run.get("again"))
    for found in _candidates(target, run):
        job_id = job_of_found(found)
        if current and current not in ended:
            if job_id == current:
                return found
            continue
        if job_id in run.get("attempted", ()):
            continue
        item = target.jobs.get(keys.job_item(job_id))
        busy = _running(target, item, event["execution"])
        # A chapter that was named is wanted, whatever became of it before.
        named = bool(run.get("sources")) and (item or {}).get("status") == "quarantined"
        if not protocol.may_take(item, mine=event["execution"], running=busy, again=again or named):
            continue
        fields = {
            "title": found.title,
            "source": found.ref,
            "counted": bool(run.get("counted", True)),
        }
        if _claim(target, event, item, job_id, fields, again=again):
            return found
    return None


def _candidates(target: Target, run: Item) -> Iterator[Found]:
    return target.source(run).find()


def _claim(
    target: Target, event: Event, item: Item | None, job_id: str, fields: dict[str, object], *, again: bool
) -> bool:
    changes = protocol.claim(
        item, job_id, run=event["run"], execution=event["execution"], fields=fields, now=now(target), again=again
    )
    try:
        target.jobs.change(*changes)
    except ConditionFailed:
        return False
    return True


def _bring(target: Target, event: Event, run: Item, found: Found, job_id: str) -> None:
    """Pages first, content-addressed; the manifest last, so that its presence means all is there (H49)."""
    manifest = keys.manifest(job_id)
    if target.objects.exists(manifest) and not run.get("again"):
        chapter = msgspec.json.decode(target.objects.get(manifest), type=Chapter)
    else:
        chapter = _intake(target, found, job_id)
        target.objects.put(manifest, encode(chapter))
    target.jobs.change(
        protocol.advance(
            job_id,
            event["execution"],
            "fetched",
            now(target),
            title=chapter.title,
            pages=len(chapter.pages),
            panels=len(chapter.panels),
            notes=list(chapter.skipped),
        )
    )


def _intake(target: Target, found: Found, job_id: str) -> Chapter:
    from mangavid import panels

    fetched = target.source({"sources": [found.ref]}).fetch(found)
    pages: list[Page] = []
    for index, raw in enumerate(fetched.pages):
        sha256 = hashlib.sha256(raw.data).hexdigest()
        key = keys.page(job_id, sha256, raw.ext)
        if not target.objects.exists(key):
            target.objects.put(key, raw.data)
        pages.append(Page(index=index, name=raw.name, key=key, sha256=sha256, width=raw.width, height=raw.height))
        target.progress(job_id, index + 1, len(fetched.pages), "page")
    direction = _direction(target, fetched)
    return Chapter(
        job_id=job_id,
        source=found.ref,
        title=found.title,
        series=found.series,
        number=found.number,
        language=target.config.language,
        direction=direction,
        pages=tuple(pages),
        panels=panels.split(fetched.pages, direction),
        credits=fetched.credits,
        sidecar=fetched.sidecar,
        skipped=fetched.skipped,
    )


def _direction(target: Target, fetched: Fetched) -> Direction:
    from mangavid import panels

    setting = target.config.source.direction
    if setting != "auto":
        return setting
    if fetched.direction is not None:
        return fetched.direction
    return "ttb" if panels.looks_like_strip(fetched.pages) else "rtl"
