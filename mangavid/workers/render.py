"""The renderer: a narrated chapter into the four files of its video, a segment at a time.

Each segment is stored under the digest of its inputs as soon as it is encoded, the soundtrack likewise: whoever comes
after an interruption finds them and does only what is missing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mangavid import faults, keys, protocol
from mangavid.errors import ConditionFailed, LeaseLost, MangavidError, RenderError, StorageFull, told
from mangavid.models import Chapter, Product, Rendered, Script, Speech, Struct, decode, encode
from mangavid.ports import Target
from mangavid.products import fetch_whole, is_whole, read_chapter, read_script, read_speech, render_inputs
from mangavid.workers.lease import Lease

if TYPE_CHECKING:
    from mangavid.video.pool import Encoders, Job
    from mangavid.video.sound import Measured
    from mangavid.video.timeline import Timeline

#: Room for a second of video: segments, soundtrack, the joined file and its copy in the store, with a reserve.
_BYTES_A_SECOND = 4_000_000


class _Drained(Exception):
    """The machine is being taken away: what was in hand is stored, or took too long; and that is answered."""


def render(target: Target, lease: Lease, *, encoders: int) -> None:
    """Claim, render, commit, answer. Raises only bugs: what can go wrong is the token's answer."""
    from mangavid.video.pool import Encoders

    try:
        job = lease.claim()
        if job.rendered is None or job.rendered.inputs != render_inputs(job, target.config):
            # The encoders are started while there is one thread only.
            with Encoders(encoders) as pool, lease, tempfile.TemporaryDirectory(prefix="mangavid-render-") as work:
                _Render(target, lease, pool, Path(work)).go()
        lease.succeed()
    except (LeaseLost, _Drained):
        return
    except MangavidError as problem:
        lease.fail(type(problem).__name__, told(problem))


class _Sound(Struct, frozen=True):
    """What is known of a stored soundtrack: ``measured`` is a ``video.sound.Measured``."""

    sha256: str
    measured: dict[str, Any]


class _Render:
    def __init__(self, target: Target, lease: Lease, pool: Encoders, work: Path) -> None:
        self._target = target
        self._objects = target.objects
        self._video = target.config.video
        self._lease = lease
        self._pool = pool
        self._work = work
        self._done = 0
        #: Keys of the segments in the store, by segment key.
        self._stored: dict[str, str] = {}

    def go(self) -> None:
        from mangavid.video import timeline

        job = self._lease.job()
        chapter = read_chapter(self._objects, job.job_id)
        script, speech = read_script(self._objects, job), read_speech(self._objects, job)
        plan = timeline.plan(chapter, script, speech, self._video)
        self._room(plan)
        pages = {page.index: fetch_whole(self._objects, page.key, page.sha256) for page in chapter.pages}
        with ThreadPoolExecutor(1, thread_name_prefix="aside") as aside:
            sound = aside.submit(self._soundtrack, plan, speech)
            picture = aside.submit(_thumbnail, chapter, script, pages)
            try:
                self._segments(plan, pages, sound)
            except _Drained:
                # Now, not when this block has waited for the soundtrack: a replacement takes its time to start.
                self._lease.give_up("the renderer's machine is being taken away")
                raise
            soundtrack, measured = sound.result()
            thumbnail = picture.result()
        self._finish(chapter, script, speech, plan, soundtrack, measured, thumbnail)

    def _room(self, plan: Timeline) -> None:
        """Refuse at once what the disk can't take."""
        free = shutil.disk_usage(self._work).free
        need = int(plan.seconds * _BYTES_A_SECOND)
        if free < need:
            raise StorageFull(f"{need >> 20} MiB are needed to render {plan.title}, {free >> 20} MiB are free")

    def _segments(self, plan: Timeline, pages: Mapping[int, Path], sound: Future[Any]) -> None:
        from mangavid.video.pool import Job

        # Two segments that are alike in everything are one file.
        parts = {one.key: one for one in plan.segments}
        job_id, total = plan.job_id, len(parts)
        self._find_stored(job_id)
        missing = [one for key, one in parts.items() if key not in self._stored]
        self._done = total - len(missing)
        self._lease.checkpoint(self._done, total)

        def on_segment(made: Job) -> None:
            with made.out.open("rb") as file:
                key = keys.segment(job_id, made.segment.key, hashlib.file_digest(file, "sha256").hexdigest())
            # Stored already: by a worker that lost its lease after it had encoded the very same bytes.
            with suppress(ConditionFailed):
                self._objects.put(key, made.out, if_absent=True)
            made.out.unlink()
            self._stored[made.segment.key] = key
            self._done += 1
            self._lease.checkpoint(self._done, total)
            self._watch(sound)

        def on_frames(_job: Job, _frames: int) -> None:
            self._lease.progressed()
            self._watch(sound)

        jobs = [Job(one, self._work / f"{one.key}.mp4") for one in missing]
        self._watch(sound)
        left = self._pool.run(jobs, settings=self._video, page_files=pages, on_segment=on_segment, on_frames=on_frames)
        if left or self._lease.draining.is_set():
            raise _Drained

    def _find_stored(self, job_id: str) -> None:
        """What earlier workers left; a segment that was damaged since is thrown away, to be encoded again."""
        for product in self._objects.list(f"jobs/{job_id}/render/"):
            if (found := keys.read_segment(product.key)) is None:
                continue
            if is_whole(self._objects, product.key, found[1]):
                self._stored[found[0]] = product.key
            else:
                self._objects.delete([product.key])

    def _watch(self, sound: Future[Any]) -> None:
        """Between frames: stop where the lease is lost, the machine is going, or the soundtrack failed."""
        if self._lease.lost.is_set():
            raise LeaseLost("the lease was lost while rendering")
        if self._lease.draining.is_set():
            self._pool.drain()
        if self._lease.overdue:
            raise _Drained
        if sound.done():
            sound.result()

    def _soundtrack(self, plan: Timeline, speech: Speech) -> tuple[Path, Measured]:
        """The soundtrack and what was measured on it: made once for the same voices, places and music."""
        from mangavid.video import sound
        from mangavid.video.timeline import RENDER_VERSION

        voices = [(scene.sha256, scene.samples) for scene in speech.scenes]
        places = [(one.voice_at, one.frames) for one in plan.segments]
        settings = (self._video.music_level, self._video.loudness, _music_digest(self._video.music))
        inputs = keys.digest("sound", RENDER_VERSION, voices, places, settings, plan.fps)
        track, facts = keys.soundtrack(plan.job_id, inputs), keys.soundtrack_facts(plan.job_id, inputs)
        known = self._known_sound(track, facts)
        if known is None:
            made = self._work / "soundtrack.m4a"
            spoken = [scene for scene in speech.scenes if scene.key]
            wavs = {scene.index: fetch_whole(self._objects, scene.key, scene.sha256) for scene in spoken}
            measured = sound.make_soundtrack(plan, wavs, self._video, made)
            product = self._objects.put(track, made)
            known = _Sound(sha256=product.sha256, measured=msgspec.to_builtins(measured))
            self._objects.put(facts, encode(known))
            faults.point("render.sound")
        return self._objects.fetch(track), msgspec.convert(known.measured, sound.Measured)

    def _known_sound(self, track: str, facts: str) -> _Sound | None:
        if not self._objects.exists(facts):
            return None
        known = decode(self._objects.get(facts), _Sound, name=facts)
        return known if is_whole(self._objects, track, known.sha256) else None

    def _finish(
        self,
        chapter: Chapter,
        script: Script,
        speech: Speech,
        plan: Timeline,
        soundtrack: Path,
        measured: Measured,
        thumbnail: bytes,
    ) -> None:
        from mangavid.video import captions, check, metadata, mux

        video = self._work / "video.mp4"
        files = [self._objects.fetch(self._stored[one.key]) for one in plan.segments]
        mux.mux(plan, files, soundtrack, video)
        try:
            check.check(video, plan, self._video, measured)
        except RenderError:
            # What is wrong is in the parts: a relaunch that reused them would fail the same way.
            self._objects.delete([self._stored[one.key] for one in plan.segments])
            raise
        self._lease.progressed()
        about = metadata.make_metadata(
            chapter,
            script,
            plan,
            measured,
            voice=speech.voice,
            files={kind: plan.job_id + suffix for kind, suffix in keys.FILES.items() if kind != "metadata"},
        )
        inputs = render_inputs(self._lease.job(), self._target.config)

        def put(kind: str, data: bytes | Path) -> Product:
            name = kind + keys.FILES[kind]
            return self._objects.put(keys.final(plan.job_id, inputs, self._lease.epoch, name), data)

        self._lease.check()
        rendered = Rendered(
            inputs=inputs,
            video=put("video", video),
            captions=put("captions", captions.srt(plan).encode()),
            thumbnail=put("thumbnail", thumbnail),
            metadata=put("metadata", msgspec.json.format(encode(about), indent=2) + b"\n"),
            seconds=plan.seconds,
            lufs=measured.lufs,
            epoch=self._lease.epoch,
            segments=len(plan.segments),
        )
        stamp = self._target.clock.now().isoformat(timespec="microseconds")
        self._lease.commit(protocol.commit_render(plan.job_id, self._lease.epoch, msgspec.to_builtins(rendered), stamp))


def _thumbnail(chapter: Chapter, script: Script, pages: Mapping[int, Path]) -> bytes:
    from mangavid.video.thumbnail import make_thumbnail

    return make_thumbnail(chapter, script.title or chapter.title, pages)


def _music_digest(music: str) -> str:
    """What the music setting stands for: its word, or the content of the file it names."""
    path = Path(music).expanduser()
    if music in ("auto", "none") or not path.is_file():
        return music
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
