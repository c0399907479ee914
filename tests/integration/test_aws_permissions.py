"""What every function and machine really asks of AWS, held against ``mangavid.aws.permissions``, both ways."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import msgspec
import pytest

from mangavid import keys, models, providers
from mangavid.aws import shell
from mangavid.aws.imds import Metadata
from mangavid.aws.instances import ROLES
from mangavid.aws.logs import Shipping
from mangavid.aws.names import Names
from mangavid.aws.package import FOLDERS
from mangavid.aws.permissions import PERMISSIONS
from mangavid.aws.secrets import SsmSecrets
from mangavid.aws.worker import run
from mangavid.config import Config, Video
from mangavid.errors import YouTubeQuotaError
from mangavid.models import Chapter, Job, Script, job_of
from mangavid.ports import Change, Desk, Fetched, Found, Publisher, Source, Target, Voice
from tests.fakes.aws import CLIENTS
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.metadata import served
from tests.fakes.providers import OneLineWriter
from tests.unit.test_aws_functions import Machine, cbz, tagged

#: Allowed for what is not met here, each with where it is tested or why it can't be.
RARE = {
    ("renderer", "s3:AbortMultipartUpload"): "an upload in parts that fails: tests/unit/test_aws_storage.py",
    ("renderer", "states:SendTaskFailure"): "a render that fails: the uploader's failure goes the same way",
}


class Paid(OneLineWriter):
    """One that asks a model, as far as AWS sees of it."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target

    def write(self, chapter: Chapter, image: Callable[[int], bytes], desk: Desk) -> Script:
        self._target.secrets.get("openai-api-key")
        desk.allow(1)
        assert desk.recall("one") is None
        desk.keep("one", b"{}", 1)
        assert desk.recall("one") == b"{}"
        written = super().write(chapter, image, desk)
        return msgspec.structs.replace(written, story=models.Story(summary="Một câu."))


class Metered:
    """``ports.Source`` of a provider that gives few chapters a day."""

    def __init__(self, target: Target, inner: Source) -> None:
        self._target = target
        self._inner = inner

    def find(self) -> Iterator[Found]:
        return self._inner.find()

    def fetch(self, found: Found) -> Fetched:
        assert providers.allowed(self._target.jobs, self._target.clock, "mangadex", 100)
        return self._inner.fetch(found)


def asking(target: Target, world: AwsWorld) -> Target:
    """The target with providers that ask for what those on the network do: secrets, the day's rest, what was told."""
    secrets = SsmSecrets(CLIENTS["ssm"], target.config.aws.prefix)
    for name in ("openai-api-key", "speech-api-key", "youtube-token"):
        secrets.put(name, "x")

    def voice(_engine: str) -> Voice:
        for name in ("openai-api-key", "speech-api-key"):
            target.secrets.get(name)
        return world.voice

    def publisher() -> Publisher:
        target.secrets.get("youtube-token")
        return world.publisher

    return dataclasses.replace(
        target,
        source=lambda run: Metered(target, target.source(run)),
        writer=lambda: Paid(target),
        voice=voice,
        publisher=publisher,
    )


class Story:
    """One chapter from the library to its video on AWS, with what goes wrong on the way."""

    def __init__(self, world: AwsWorld) -> None:
        self.world = world
        self.target = asking(world.target, world)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        state = import_module(f"mangavid.states.{FOLDERS[function]}")
        handler = shell.function(function, "", state.handle, open_target=lambda: self.target, out=io.StringIO())
        with self.world.being(function):
            return handler(event, None)

    def work(self, phase: Any, job: Job) -> None:
        service = Machine(instance_id=job.instance)
        tagged(service, ROLES[phase], job.job_id, str(job.epoch))
        group = Names().log_group(ROLES[phase])
        with served(service) as base, self.world.being(ROLES[phase]):
            code = run(
                phase,
                {},
                metadata=Metadata(base),
                clock=self.world.clock,
                end=lambda: None,
                open_target=lambda: self.target,
                ship=lambda stream, say: Shipping(CLIENTS["logs"], group, stream, say),
            )
        assert code == 0

    def job(self, job_id: str) -> Job:
        item = self.target.jobs.get(keys.job_item(job_id))
        assert item is not None
        return job_of(item)

    def open_token(self, event: dict[str, Any], token: str) -> dict[str, Any]:
        """A token that Step Functions knows, as in the event of a wait state."""
        self.world.service.open_token(token)
        return {**event, "token": token, "retry": 0}


def token(letter: str) -> str:
    return f"mv1.{letter * 64}"


def tell(story: Story) -> None:
    world, target = story.world, story.target
    for name in ("1", "2"):
        target.objects.put(f"library/Kệ/{name}.cbz", cbz(1))
    left = world.begin("left-behind")
    assert story.call("check-quota", left)["quota_reached"] is False
    assert story.call("check-quota", world.begin("second"))["quota_reached"] is True
    job_id = story.call("fetcher", left)["job_id"]
    target.executions.stop(left["execution"], error="", cause="")
    for one in ("script/x.json", "audio/x.wav", "render/x.m4a"):
        target.objects.put(f"jobs/{job_id}/{one}", b".")
    # A chapter left behind is taken by another execution, which throws away what was made of it.
    named = world.begin("named")
    target.jobs.change(
        Change(key=keys.run_item("named"), set={"sources": ["library/Kệ/1.cbz"]}, add={"again": [job_id]})
    )
    assert story.call("check-quota", named)["quota_reached"] is False
    assert story.call("fetcher", named) == {"status": "success", "job_id": job_id}
    assert story.call("fetcher", named)["job_id"] == job_id
    event = {**named, "job_id": job_id}
    # An answer that was lost: each is called twice.
    for function in ("scriptgen", "scriptgen", "ttsgen", "ttsgen"):
        story.call(function, event)

    assert story.call("start-renderer", event)["done"] is False
    story.call("renderer-callback", story.open_token(event, token("a")))
    # The first machine is lost, the second renders; a damaged segment of the first is made anew.
    target.objects.put(keys.segment(job_id, "0" * 16, "0" * 64), b"damaged")
    story.call("renderer-callback", {**story.open_token(event, token("b")), "retry": 1})
    story.work("render", story.job(job_id))
    assert story.job(job_id).status == "rendered"
    story.call("renderer-callback", story.open_token(event, token("c")))
    story.work("render", story.job(job_id))

    assert story.call("start-uploader", event)["done"] is False
    story.call("uploader-callback", story.open_token(event, token("d")))
    world.publisher.fail_with = YouTubeQuotaError("no quota is left")
    story.work("upload", story.job(job_id))
    assert story.job(job_id).status == "awaiting_upload"
    world.publisher.fail_with = None
    target.jobs.change(Change(key=keys.job_item(job_id), set={"status": "uploading", "counted": True}))
    story.call("uploader-callback", {**story.open_token(event, token("e")), "retry": 1})
    story.work("upload", story.job(job_id))
    story.call("uploader-callback", story.open_token(event, token("f")))

    for one in ("script/x.json", "audio/x.wav", "render/x.m4a"):
        target.objects.put(f"jobs/{job_id}/{one}", b".")
    assert story.call("cleanup", event)["deleted"] > 3
    assert story.call("increment-counter", event)["daily_count"] == 1

    # One that a person named is taken from where it was put.
    inbox = world.begin("inbox")
    key = "inbox/0123456789abcdef/Kệ/3.cbz"
    target.objects.put(key, cbz(1))
    target.jobs.change(Change(key=keys.run_item("inbox"), set={"sources": [key]}))
    assert story.call("fetcher", inbox)["status"] == "success"

    # Another chapter is given up while its machines are at work, by HandleError and by the reaper.
    for number, function in (("3", "handle-error"), ("4", "reaper")):
        for phase in ("renderer", "uploader"):
            again = world.begin(f"{function}-{phase}")
            target.jobs.change(
                Change(
                    key=keys.job_item(f"{number}-{phase}"),
                    set={
                        "job_id": f"{number}-{phase}",
                        "title": "t",
                        "source": "s",
                        "created_at": "1",
                        "updated_at": "1",
                        "epoch": 1,
                        "phase": "render" if phase == "renderer" else "upload",
                        "status": "rendering" if phase == "renderer" else "uploading",
                        "execution": again["execution"],
                        "instance": target.instances.launch(
                            "render" if phase == "renderer" else "upload", f"{number}-{phase}", 1
                        ),
                    },
                )
            )
            if function == "handle-error":
                failed = {"job": {"job_id": f"{number}-{phase}"}, "error": {"Error": "States.Timeout"}}
                story.call(function, {**again, "entered": phase, "state": failed})
            else:
                target.executions.stop(again["execution"], error="", cause="")
    target.executions.stop(named["execution"], error="", cause="")
    # The two, and the renderer of the first chapter; its uploader has just said that it is done.
    assert story.call("reaper", {}) == {"terminated": 3, "interrupted": 2, "freed": 1}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, set[str]]]]:
    small = Config(video=Video(width=320, height=240, fps=24, music="none", captions=False))
    with aws_world(tmp_path_factory.mktemp("aws"), small) as world:
        tell(Story(world))
        yield world.calls


@pytest.mark.slow
@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_role_needs_what_the_table_says(calls: dict[str, dict[str, set[str]]], name: str) -> None:
    rare = {action for who, action in RARE if who == name}
    made = {action: sorted(on) for action, on in calls[name].items() if action not in rare}
    assert made == {action: sorted(on) for action, on in PERMISSIONS[name].items() if action not in rare}


def test_the_table_has_every_function_and_machine_and_the_rare_calls_are_in_it() -> None:
    assert set(PERMISSIONS) == {*FOLDERS, "renderer", "uploader"}
    assert all(action in PERMISSIONS[name] for name, action in RARE)
