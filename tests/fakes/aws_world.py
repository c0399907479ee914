"""A whole target on moto's AWS and a Step Functions of our own, with a record of every call that is made of it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mangavid.aws import target_of
from mangavid.aws.environment import Environment
from mangavid.aws.instances import ROLES
from mangavid.aws.names import Names
from mangavid.clock import SystemClock
from mangavid.config import Config
from mangavid.ports import Target, Utterance
from tests.fakes.aws import BUCKET, CLIENTS, IMAGE, REGION, TABLE, cloud
from tests.fakes.memory import FakeClock
from tests.fakes.providers import BeepVoice, LedgerPublisher, OneLineWriter
from tests.fakes.stepfunctions import MACHINE, StepFunctions, serving

SERVICES = ("dynamodb", "s3", "ec2", "stepfunctions", "ssm", "logs")


class HumVoice(BeepVoice):
    """One that can be heard in a finished video."""

    key = "hum-1"

    def speak(self, text: str) -> Utterance:
        made = super().speak(text)
        header, wave = made.wav[:44], (b"\x00\x20" * 60 + b"\x00\xe0" * 60) * (made.samples // 120 + 1)
        return msgspec.structs.replace(made, wav=header + wave[: 2 * made.samples])


@dataclass
class AwsWorld:
    target: Target
    clock: FakeClock
    service: StepFunctions
    writer: OneLineWriter
    voice: BeepVoice
    publisher: LedgerPublisher
    #: By who was named to make them: action → resources, in the words of ``mangavid.aws.permissions``.
    calls: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    who: str = ""

    def hear(self, params: dict[str, Any], event_name: str, **_: object) -> None:
        """A handler of botocore's event ``provide-client-params``."""
        if self.who:
            _, service, operation = event_name.split(".")
            for action, resource in needed(service, operation, params):
                self.calls[self.who][action].add(resource)

    @contextmanager
    def being(self, who: str) -> Iterator[None]:
        """Calls made inside are this function's or machine's."""
        self.who = who
        try:
            yield
        finally:
            self.who = ""

    def begin(self, name: str) -> dict[str, str]:
        """Start an execution; the event its states are called with."""
        return {"run": name, "execution": self.target.executions.start(name, {})}


def needed(service: str, operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Actions that IAM asks for when an operation is called, each with what it is on.

    Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    and, for operations that have no action of their own, their API reference.
    """
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            for one in params["TransactItems"]:
                yield "dynamodb:UpdateItem", _item(one["Update"])
        case "dynamodb", "Query":
            yield "dynamodb:Query", f"index:{params['IndexName']}"
        case "dynamodb", _:
            yield f"dynamodb:{operation}", _item(params)
        case "s3", "ListObjectsV2":
            yield "s3:ListBucket", f"bucket:{params['Prefix'].partition('/')[0]}/*"
        case "s3", "DeleteObjects":
            for one in params["Delete"]["Objects"]:
                yield "s3:DeleteObject", _object(one["Key"])
        case "s3", "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload":
            yield "s3:PutObject", _object(params["Key"])
            if "Tagging" in params:
                yield "s3:PutObjectTagging", _object(params["Key"])
        case "s3", _:
            yield f"s3:{operation}", _object(params["Key"])
        case "ec2", "CreateFleet":
            tags = {tag["Key"]: tag["Value"] for tag in params["TagSpecifications"][0]["Tags"]}
            for action in ("ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateTags"):
                yield action, f"launch:{tags['mangavid:role']}"
            yield "iam:PassRole", f"role:{tags['mangavid:role']}"
        case "ec2", "TerminateInstances":
            for name in params["InstanceIds"]:
                yield "ec2:TerminateInstances", f"instance:{_role(name)}"
        case "ec2", _:
            yield f"ec2:{operation}", "any"
        case "sfn", "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat":
            yield f"states:{operation}", "any"
        case "sfn", _:
            yield f"states:{operation}", "execution"
        case "ssm", _:
            yield f"ssm:{operation}", f"parameter:{params['Name'].rpartition('/')[2]}"
        case "cloudwatch-logs", _:
            yield f"logs:{operation}", f"log:{params['logGroupName'].removeprefix('/manga-pipeline/')}"
        case _:
            yield f"{service}:{operation}", "?"


def _item(params: dict[str, Any]) -> str:
    return f"table:{params['Key']['pk']['S'].partition('#')[0]}#"


def _object(key: str) -> str:
    first, *rest = key.split("/")
    return f"object:jobs/*/{rest[1]}/*" if first == "jobs" else f"object:{first}/*"


def _role(instance: str) -> str:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    tags = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].get_instance(instance).get_tags()
    return next(str(tag["value"]) for tag in tags if tag["key"] == "mangavid:role")


@contextmanager
def aws_world(folder: Path, config: Config | None = None, clock: FakeClock | None = None) -> Iterator[AwsWorld]:
    """Empty but for table, bucket and launch templates. Chapters come from the bucket; writer and voice are brief."""
    config = config or Config()
    # The machines' ages are told by moto, which keeps real time.
    ticking = clock or FakeClock(SystemClock().now())
    service = StepFunctions(folder / "journal.db", ticking)
    with ExitStack() as stack:
        stack.enter_context(cloud(ticking))
        stack.enter_context(serving(CLIENTS, service.answer))
        ec2 = CLIENTS["ec2"]
        templates = {
            phase: ec2.call("create_launch_template", LaunchTemplateName=role, LaunchTemplateData={"ImageId": IMAGE})
            for phase, role in ROLES.items()
        }
        for role in ROLES.values():
            CLIENTS["logs"].call("create_log_group", logGroupName=Names(config.aws.prefix).log_group(role))
        environment = Environment(
            config=config,
            table=TABLE,
            bucket=BUCKET,
            state_machine=MACHINE,
            region=REGION,
            launch_template=templates["render"]["LaunchTemplate"]["LaunchTemplateId"],
            launch_version="1",
            subnets=tuple(one["SubnetId"] for one in ec2.call("describe_subnets")["Subnets"][:2]),
        )
        writer, voice, publisher = OneLineWriter(), HumVoice(), LedgerPublisher()
        target = dataclasses.replace(
            target_of(environment, clients=CLIENTS, clock=ticking, cache=folder / "cache"),
            writer=lambda: writer,
            voice=lambda _engine: voice,
            publisher=lambda: publisher,
        )
        world = AwsWorld(target, ticking, service, writer, voice, publisher)
        for name in SERVICES:
            events = CLIENTS[name].client.meta.events
            events.register("provide-client-params", world.hear)
            stack.callback(events.unregister, "provide-client-params", world.hear)
        yield world
