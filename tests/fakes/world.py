"""A whole target in memory, with the fakes it is made of at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mangavid import keys
from mangavid.config import Config
from mangavid.models import Job, Product, Rendered, job_of
from mangavid.ports import Change, Target
from mangavid.products import render_inputs
from tests.fakes.memory import (
    FakeCallbacks,
    FakeClock,
    FakeExecutions,
    FakeInstances,
    FakeSecrets,
    InMemoryJobs,
    InMemoryObjects,
)
from tests.fakes.providers import BeepVoice, LedgerPublisher, OneLineWriter, Shelf


@dataclass
class World:
    target: Target
    jobs: InMemoryJobs
    objects: InMemoryObjects
    executions: FakeExecutions
    callbacks: FakeCallbacks
    instances: FakeInstances
    clock: FakeClock
    shelf: Shelf
    writer: OneLineWriter
    voice: BeepVoice
    publisher: LedgerPublisher

    def begin(self, name: str = "run-1", **fields: Any) -> dict[str, str]:
        """Start an execution; the event its states are called with."""
        arn = self.executions.start(name, {})
        if fields:
            self.jobs.change(Change(key=keys.run_item(name), set={"name": name, **fields}))
        return {"run": name, "execution": arn}

    def job(self, job_id: str) -> Job:
        item = self.jobs.get(keys.job_item(job_id))
        assert item is not None
        return job_of(item)

    def set_job(self, job_id: str, **fields: Any) -> None:
        self.jobs.change(Change(key=keys.job_item(job_id), set=fields))

    def rendered(self, job_id: str) -> Rendered:
        """Files for a job as its renderer would commit them now."""
        job = self.job(job_id)
        inputs = render_inputs(job, self.target.config)

        def product(name: str) -> Product:
            return self.objects.put(keys.final(job_id, inputs, job.epoch, name), name.encode())

        return Rendered(
            inputs=inputs,
            video=product("video.mp4"),
            captions=product("captions.srt"),
            thumbnail=product("thumbnail.jpg"),
            metadata=product("metadata.json"),
            seconds=10.0,
            lufs=-14.0,
            epoch=job.epoch,
            segments=2,
        )


def make_world(folder: Path, *chapters: str, config: Config | None = None) -> World:
    clock = FakeClock()
    jobs, objects = InMemoryJobs(), InMemoryObjects(folder)
    executions, callbacks, instances = FakeExecutions(clock), FakeCallbacks(), FakeInstances()
    shelf, writer, voice, publisher = Shelf(*chapters), OneLineWriter(), BeepVoice(), LedgerPublisher()
    target = Target(
        config=config or Config(),
        jobs=jobs,
        objects=objects,
        executions=executions,
        callbacks=callbacks,
        instances=instances,
        secrets=FakeSecrets(),
        clock=clock,
        source=lambda run: shelf.only(list(run["sources"])) if run.get("sources") else shelf,
        writer=lambda: writer,
        voice=lambda _engine: voice,
        publisher=lambda: publisher,
    )
    return World(target, jobs, objects, executions, callbacks, instances, clock, shelf, writer, voice, publisher)
