"""FetchManga: take the next chapter, and put its pages and panels into the object store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from mangavid import faults, keys, protocol
from mangavid.config import Config
from mangavid.errors import BadInput, ConditionFailed, SourceNotFound, UpstreamUnavailable
from mangavid.models import Chapter, Direction, Page, encode
from mangavid.ports import Found, Item, Target
from mangavid.products import delete_temporary, is_whole, job_of_found, read_chapter, read_job
from mangavid.states import cleanup
from mangavid.states.runs import Event, Result, current_job, now, run_of
from mangavid.writers import titles


def handle(target: Target, event: Event) -> Result:
    """``{"status", "job_id"}``: success, awaiting_upload, no_manga_available or nothing_but_failures.

    A run that was interrupted here, or is retried, goes on with the chapter it had taken.
    """
    run = run_of(target, event)
    in_hand = current_job(target, run)
    if in_hand:
        _bring(target, event, run, in_hand, None)
        return {"status": "success", "job_id": in_hand}
    _tidy(target, event)
    waiting = _waiting(target, event, run)
    if waiting:
        return {"status": "awaiting_upload", "job_id": waiting}
    for job_id, found in _candidates(target, run):
        if _take(target, event, run, job_id, found):
            _bring(target, event, run, job_id, found)
            return {"status": "success", "job_id": job_id}
    only_failures = run.get("failed") and not run.get("made")
    return {"status": "nothing_but_failures" if only_failures else "no_manga_available", "job_id": ""}


def _tidy(target: Target, event: Event) -> None:
    """Clean up after jobs whose video was published by the time nobody waited for it: an execution that was ended, a
    worker that was given up, a Cleanup that failed. No state comes back to them, since they are finished.
    """
    for item in list(target.jobs.by_status("uploaded")):
        # Nothing depends on it, and the next run tries again.
        with suppress(UpstreamUnavailable):
            cleanup.handle(target, {**event, "job_id": str(item["job_id"])})


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


#: Left by a run that ended, or put back by ``mangavid retry``: taken up again before a new chapter.
LEFT = ("claimed", "fetched", "scripted", "voiced", "rendering", "rendered", "uploading", "interrupted")


def _candidates(target: Target, run: Item) -> Iterator[tuple[str, Found | None]]:
    """Jobs left unfinished (their chapter need not be looked for), then the source's chapters."""
    left = sorted(target.jobs.by_status(*LEFT), key=lambda one: str(one.get("updated_at", "")))
    if run.get("sources"):
        yield from _named(target, run, left)
        return
    for item in left:
        yield str(item["job_id"]), None
    for found in target.source(run).find():
        yield job_of_found(found), found


def _named(target: Target, run: Item, left: Sequence[Item]) -> Iterator[tuple[str, Found | None]]:
    """The chapters a run names, one by one: one that is gone is told of when the others are made."""
    attempted = [target.jobs.get(keys.job_item(job_id)) or {} for job_id in run.get("attempted", ())]
    gone: BadInput | None = None
    for ref in run["sources"]:
        if any(item.get("source") == ref for item in attempted):
            continue
        unfinished = [str(item["job_id"]) for item in left if item.get("source") == ref]
        yield from ((job_id, None) for job_id in unfinished)
        try:
            yield from ((job_of_found(found), found) for found in target.source({**run, "sources": [ref]}).find())
        except BadInput as problem:
            gone = gone if gone or unfinished else problem
    if gone:
        raise gone


def _take(target: Target, event: Event, run: Item, job_id: str, found: Found | None) -> bool:
    """Whether this run may take the chapter, and does."""
    if job_id in run.get("attempted", ()):
        return False
    item = target.jobs.get(keys.job_item(job_id))
    again = job_id in run.get("again", ())
    # A chapter that was named is wanted, though it failed three times or waits for quota.
    wanted = again or (bool(run.get("sources")) and (item or {}).get("status") in ("quarantined", "awaiting_upload"))
    busy = _running(target, item, event["execution"])
    if not protocol.may_take(item, mine=event["execution"], running=busy, again=wanted):
        return False
    fields: dict[str, object] = {}
    if found is not None:
        fields = {
            "title": titles.video_title(found.series, found.number, found.title, target.config.language),
            "source": found.ref,
            "counted": bool(run.get("counted", True)),
        }
    return _claim(target, event, item, job_id, fields, again=again)


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


def _bring(target: Target, event: Event, run: Item, job_id: str, found: Found | None) -> None:
    """Pages first, content-addressed; the manifest last, so that its presence means all is there.

    A chapter that this run has only now taken is taken in anew: its pages or narration may have been mended since.
    Where it was named and is gone by now, what is stored of it will do.
    """
    manifest = keys.manifest(job_id)
    only_taken = read_job(target, job_id).status == "claimed"
    if only_taken and job_id in run.get("again", ()):
        delete_temporary(target.objects, job_id)
    stored = target.objects.exists(manifest)
    if stored and not (only_taken and (found or run.get("sources"))):
        chapter = read_chapter(target.objects, job_id)
    else:
        try:
            chapter = _intake(target, found or _look_up(target, job_id), job_id)
            target.objects.put(manifest, encode(chapter))
        except SourceNotFound:
            if not stored:
                raise
            chapter = read_chapter(target.objects, job_id)
    target.jobs.change(
        protocol.advance(
            job_id,
            event["execution"],
            "fetched",
            now(target),
            title=titles.of_chapter(chapter),
            pages=len(chapter.pages),
            panels=len(chapter.panels),
            notes=[*(f"left out: {page}" for page in chapter.skipped), *chapter.notes],
            version=chapter.version,
        )
    )


def _look_up(target: Target, job_id: str) -> Found:
    """The chapter of a job that was left before its pages were in, found again where it was."""
    ref = read_job(target, job_id).source
    for found in target.source({"sources": [ref]}).find():
        return found
    raise SourceNotFound(f"the chapter of {job_id} is no longer at {ref}")


def _intake(target: Target, found: Found, job_id: str) -> Chapter:
    from mangavid import panels

    fetched = target.source({"sources": [found.ref]}).fetch(found)
    pages: list[Page] = []
    for index, raw in enumerate(fetched.pages):
        sha256 = hashlib.sha256(raw.data).hexdigest()
        key = keys.page(job_id, sha256, raw.ext)
        if not is_whole(target.objects, key, sha256):
            target.objects.put(key, raw.data)
            faults.point("page.stored", key)
        pages.append(Page(index=index, name=raw.name, key=key, sha256=sha256, width=raw.width, height=raw.height))
        target.progress(job_id, index + 1, len(fetched.pages), "page")
    images = [
        panels.PageImage(index=index, width=raw.width, height=raw.height, data=raw.data)
        for index, raw in enumerate(fetched.pages)
    ]
    direction = _direction(target.config, fetched.direction, lambda: panels.looks_like_strip(images))
    return Chapter(
        job_id=job_id,
        source=found.ref,
        title=found.title,
        series=found.series,
        number=found.number,
        language=target.config.language,
        direction=direction,
        pages=tuple(pages),
        panels=panels.split(images, direction),
        credits=fetched.credits,
        sidecar=fetched.sidecar,
        skipped=fetched.skipped,
        notes=fetched.notes,
        version=found.version,
    )


def _direction(config: Config, stated: Direction | None, is_strip: Callable[[], bool]) -> Direction:
    """The setting, else what the source says, else a strip where the pages look like one, else right-to-left."""
    if config.source.direction != "auto":
        return config.source.direction
    return stated or ("ttb" if is_strip() else "rtl")
