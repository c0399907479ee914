"""What a chapter of 60 pages costs beside waiting for MangaDex, a model and Edge TTS: fakes on loopback, real clock.

The states of the pipeline run on a target on this machine; the services are a process of their own. Time counts as
waiting while at least one request is open at a service, or a source waits for its turn to ask. Goals: at least 0.9 of
the rate that MangaDex is asked at most; at most 0.05 of the time outside the waits for the model, for Edge TTS and for
the chapter. Libraries are loaded before, and counted in a line of their own.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from mangavid import config, keys
from mangavid.clock import SystemClock
from mangavid.local import open_target
from mangavid.models import Script, decode, encode
from mangavid.ports import Change, Fetched, Found, Source, Target
from mangavid.providers import Sources
from mangavid.states import fetcher, scriptgen, ttsgen
from tests.bench.measure import ROOT, goal, table

PAGES, PANELS = 60, 120
#: Requests a second: what the source holds itself to, of the API's and the images' 5.
RATE = 4.7
#: Chapters that are looked up one by one, to see the API's pace.
LOOKED_UP = 40
#: Seconds that an image, a model's answer and a line take.
IMAGE, ANSWER, LINE = 0.1, 2.0, 0.8
LIBRARIES = ("PIL.Image", "numpy", "av", "mangavid.panels.page", "httpx2", "openai", "aiohttp", "edge_tts")

Spans = Sequence[Sequence[float]]


class Waits(SystemClock):
    """The real clock, which notes when somebody slept."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        began = time.monotonic()
        super().sleep(seconds)
        with self._lock:
            self.spans.append((began, time.monotonic()))


class Timed:
    """A source, and when its ``fetch`` began and ended."""

    def __init__(self, source: Source, spans: list[tuple[float, float]]) -> None:
        self._source, self._spans = source, spans

    def find(self) -> Iterator[Found]:
        return self._source.find()

    def fetch(self, found: Found) -> Fetched:
        began = time.monotonic()
        fetched = self._source.fetch(found)
        self._spans.append((began, time.monotonic()))
        return fetched


@dataclasses.dataclass(frozen=True)
class Part:
    """``waited`` of ``took`` seconds were the service's."""

    took: float
    waited: float

    @property
    def ours(self) -> float:
        return self.took - self.waited

    @property
    def share(self) -> float:
        return self.ours / self.took

    def __add__(self, other: object) -> Part:
        assert isinstance(other, Part)
        return Part(self.took + other.took, self.waited + other.waited)

    def times(self, factor: float) -> Part:
        return Part(self.took * factor, self.waited * factor)


def part(began: float, ended: float, *waits: Spans) -> Part:
    """The time between two moments, and how much of it at least one of the waits covers."""
    waited, until = 0.0, began
    for start, end in sorted((float(a), float(b)) for spans in waits for a, b in spans):
        start, end = max(start, until), min(end, ended)
        if end > start:
            waited += end - start
            until = end
    return Part(ended - began, waited)


def rate(times: Sequence[float]) -> float:
    return (len(times) - 1) / (max(times) - min(times))


class Services:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.where: dict[str, Any] = self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("the services did not start or ended early")
        return json.loads(line)

    def seen(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, Any] = self._read()
        return found


@contextmanager
def services() -> Iterator[Services]:
    told = json.dumps({"pages": PAGES, "others": LOOKED_UP, "image": IMAGE, "answer": ANSWER, "line": LINE})
    argv = [sys.executable, "-m", "tests.bench.services_server", told]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Services(process)
        finally:
            process.kill()


def _config(where: dict[str, Any]) -> config.Config:
    return config.Config(
        mangadex=config.Mangadex(
            api=where["mangadex"], report=f"{where['mangadex']}/report", image_hosts=("127.0.0.1",), chapters_a_day=1000
        ),
        writer=config.Writer(kind="openai", base_url=where["chat"], budget_video=0, budget_day=0),
        voice=config.Voice(engines=("edge",)),
        edge=config.Edge(endpoint=where["edge"]),
    )


def _first_lines(target: Target, job_id: str, lines: int) -> None:
    """Leave the job a script of so many lines."""
    item = target.jobs.get(keys.job_item(job_id)) or {}
    script = decode(target.objects.get(str(item["script_key"])), Script, name="script")
    key = keys.script(job_id, keys.digest("script", "bench"))
    target.objects.put(key, encode(msgspec.structs.replace(script, scenes=script.scenes[:lines])))
    target.jobs.change(Change(key=keys.job_item(job_id), set={"script_key": key}))


def _told(
    seen: dict[str, Any],
    api: float,
    paced: Spans,
    fetch: tuple[float, float],
    states: Sequence[tuple[float, float]],
    loading: float,
    lines: int,
) -> int:
    """Prints what came out; the exit code."""
    open_at = seen["spans"]
    images = rate(seen["images"])
    parts = {
        "fetch": part(*fetch, open_at["api"], open_at["images"], paced),
        "script": part(*states[1], open_at["chat"]),
        f"voice, {lines} lines": part(*states[2], open_at["edge"]),
    }
    fetched, script, voice = parts.values()
    chapter = fetched + script + voice.times(PANELS / lines)
    cut = Part(states[0][1] - fetch[1], 0.0)
    shown = parts | {f"chapter, {PANELS} lines": chapter, "with loading and panels": chapter + cut + Part(loading, 0.0)}
    rows = [
        (name, f"{one.took:.2f}", f"{one.waited:.2f}", f"{one.ours:.2f}", f"{one.share:.1%}")
        for name, one in shown.items()
    ]
    print(table(("part", "seconds", "waited", "ours", "share"), rows))
    print(f"libraries are loaded in {loading:.2f} s; panels are found and stored in {cut.took:.2f} s")
    least = (PAGES - 1) / RATE + IMAGE
    print(f"the fetch took {fetched.took:.2f} s, at {RATE}/s its pages alone {least:.2f} s")
    # No limit of MangaDex's: they come from other hosts, begun 1/4.7 s apart; on a busy machine some arrive closer.
    print(f"images that came to their server as the sixth within a second: {seen['crowded']}\n")
    goals = [
        goal(f"API, of {RATE}/s", api / RATE, "", api >= 0.9 * RATE, ">= 0.90"),
        goal(f"images, of {RATE}/s", images / RATE, "", images >= 0.9 * RATE, ">= 0.90"),
        goal("API requests over a limit", seen["violations"], "", seen["violations"] == 0, "0"),
        goal("connections to Edge at once", seen["connections"], "", seen["connections"] == 1, "1"),
    ]
    for name, one in (parts | {"chapter": chapter}).items():
        if name == "fetch":
            continue  # its goal is the rate
        goals.append(goal(f"outside the waits: {name}", 100 * one.share, " %", one.share <= 0.05, "<= 5 %"))
    print(table(("goal", "measured", "wanted", "met"), goals))
    return 0 if all(row[-1] == "yes" for row in goals) else 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench services", description=__doc__)
    parser.add_argument("--lines", type=int, default=30, help="how many of the lines are spoken")
    lines = parser.parse_args(arguments).lines
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = "127.0.0.1"
    os.environ.pop("OPENAI_API_KEY", None)

    began = time.monotonic()
    for name in LIBRARIES:
        importlib.import_module(name)
    loading = time.monotonic() - began

    with tempfile.TemporaryDirectory() as home, services() as there:
        clock, fetches = Waits(), list[tuple[float, float]]()
        target = open_target(_config(there.where), home=Path(home))
        sources = Sources(
            target.config,
            jobs=target.jobs,
            objects=target.objects,
            clock=clock,
            progress=target.progress,
            files=lambda _: target.source({}),
            library=lambda: target.source({}),
        )
        target = dataclasses.replace(target, source=lambda run: Timed(sources.of(run), fetches))
        refs = [f"https://mangadex.org/chapter/{one}" for one in there.where["others"]]
        assert len(list(sources.remote("mangadex", refs).find())) == LOOKED_UP
        api = rate(there.seen()["api"])
        clock.sleep(1.5)  # the pace begins anew

        run = "bench"
        event = {"run": run, "execution": target.executions.start(run, {})}
        ref = f"https://mangadex.org/chapter/{there.where['chapter']}"
        target.jobs.change(Change(key=keys.run_item(run), set={"name": run, "sources": [ref]}))
        spans: list[tuple[float, float]] = []
        for state in (fetcher, scriptgen, ttsgen):
            print(f"{state.__name__.rpartition('.')[2]} …", file=sys.stderr, flush=True)
            if state is ttsgen:
                _first_lines(target, event["job_id"], lines)
            began = time.monotonic()
            event |= {"job_id": state.handle(target, event).get("job_id", event.get("job_id", ""))}
            spans.append((began, time.monotonic()))
        seen = there.seen()
        panels = int((target.jobs.get(keys.job_item(event["job_id"])) or {})["panels"])

    assert (len(seen["images"]), panels, seen["repairs"]) == (PAGES, PANELS, 0), "what was measured is one chapter"
    return _told(seen, api, clock.spans, fetches[-1], spans, loading, lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
