"""Deploying something small to the emulator, in this process: two functions, a state machine, a queue, what is kept."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mangavid.aws.deploy import site
from mangavid.aws.deploy.apply import Deploy, Outcome, Wanted
from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.site import Site
from mangavid.aws.package import Package
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.config import Config
from tests.fakes.ministack import ACCOUNT, REGION

Json = dict[str, Any]

STACK = "manga-pipeline"
CODE = f"{STACK}-code-{ACCOUNT}-{REGION}"
ARTIFACTS = f"{STACK}-artifacts-{ACCOUNT}-{REGION}"
TABLE = f"{STACK}-jobs"
FUNCTIONS = ("fetcher", "cleanup")


class Hurried(SystemClock):
    """Waits shorter than it is told, and every look at the time is a minute later."""

    def __init__(self) -> None:
        self._minutes = 0

    def now(self) -> datetime:
        self._minutes += 1
        return datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(minutes=self._minutes)

    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, 0.05))


def zipped(folder: Path, name: str, code: str) -> Package:
    """A package whose functions answer ``code``."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        info = zipfile.ZipInfo("handler.py", (1980, 1, 1, 0, 0, 0))
        archive.writestr(info, f"def handler(event, context):\n    return {code!r}\n")
    sha256 = hashlib.sha256(body.getvalue()).hexdigest()
    file = folder / f"{name}-{sha256[:16]}.zip"
    file.write_bytes(body.getvalue())
    size = len(body.getvalue())
    return Package(name=name, file=file, key=f"code/{name}-{sha256}.zip", sha256=sha256, size=size, unpacked=size)


def definition(said: str) -> Json:
    return {"Fn::Sub": json.dumps({"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": said, "End": True}}})}


def template(
    packages: Sequence[Package], *, said: str = "one", delay: int = 1, kept: bool = False, more: Mapping[str, Json] = {}
) -> Json:
    """Every function takes the package of its name. ``kept``: also the table and the bucket that outlive the stack."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    retained = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    resources: dict[str, Json] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{STACK}-queue", "DelaySeconds": delay}},
        "StateMachine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"StateMachineName": STACK, "RoleArn": role, "DefinitionString": definition(said)},
        },
    }
    for package in packages:
        resources[f"{package.name.capitalize()}Function"] = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": f"{STACK}-{package.name}",
                "Runtime": "python3.12",
                "Handler": "handler.handler",
                "Role": role,
                "Code": {"S3Bucket": CODE, "S3Key": package.key},
            },
        }
    if kept:
        resources["JobsTable"] = {
            **retained,
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        }
        resources["ArtifactBucket"] = {
            **retained, "Type": "AWS::S3::Bucket", "Properties": {"BucketName": ARTIFACTS}
        }  # fmt: skip
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": resources | dict(more),
        "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}},
    }


def wait(*after: str, seconds: int = 30) -> dict[str, Json]:
    """Resources that a change waits at, until a signal comes or so long has passed."""
    return {
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": list(after),
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": str(seconds), "Count": 1},
        },
    }


#: A resource that can't be made.
BROKEN: Json = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "Period": 60,
        "Statistic": "Sum",
    },
}


class Account:
    """An account on the emulator, and who deploys to it."""

    def __init__(self, folder: Path, clients: Clients) -> None:
        self.folder = folder
        self.clients = clients
        self.site: Site = site.find(Config(), clients, network=False)
        self.clock = Hurried()
        self.steps: list[Step] = []
        self.deploy = Deploy(self.site, self.clock, self.steps.append)

    def wanted(self, code: str = "1", *, fetcher: str = "", **given: Any) -> Wanted:
        """``fetcher``: other code for that function alone."""
        packages = [zipped(self.folder, name, fetcher if name == "fetcher" and fetcher else code) for name in FUNCTIONS]
        return Wanted(template=template(packages, **given), packages=tuple(packages))

    def another(self) -> Account:
        """Who else deploys to it."""
        return Account(self.folder, self.clients)

    def put(self, wanted: Wanted) -> Outcome:
        """A whole deploy, as the command does it."""
        self.steps.clear()
        return self.deploy.apply(self.deploy.plan(wanted, settled=True))

    def back(self, release: str) -> Outcome:
        from mangavid.aws.deploy import releases

        return self.put(self.deploy.again(releases.find(self.deploy.code, release)))

    def uploaded(self) -> list[str]:
        return [one.name for one in self.steps if one.what == "upload" and one.status == "done"]

    def status(self) -> str:
        return self.deploy.stack.state().status

    def answers(self) -> dict[str, str]:
        """The hash of what each function runs."""
        return {
            name: self.clients["lambda"].call("get_function_configuration", FunctionName=f"{STACK}-{name}")[
                "CodeSha256"
            ]
            for name in FUNCTIONS
        }

    def says(self) -> str:
        """What the state machine answers."""
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}"
        found = self.clients["stepfunctions"].call("describe_state_machine", stateMachineArn=arn)["definition"]
        return str(json.loads(found)["States"]["Say"]["Result"])

    def change_sets(self) -> list[str]:
        """Those that were made and not executed."""
        found = self.clients["cloudformation"].call("list_change_sets", StackName=STACK).get("Summaries", [])
        return [one["ChangeSetName"] for one in found if one["ExecutionStatus"] == "AVAILABLE"]

    def objects(self) -> dict[str, int]:
        """Keys in the bucket for code, and how many versions there are of each."""
        found: dict[str, int] = {}
        answer = self.clients["s3"].call("list_object_versions", Bucket=CODE)
        for one in answer.get("Versions", ()):
            found[one["Key"]] = found.get(one["Key"], 0) + 1
        return found

    def buckets(self) -> list[str]:
        return [one["Name"] for one in self.clients["s3"].call("list_buckets")["Buckets"]]


@contextmanager
def connected() -> Iterator[Clients]:
    """Clients by the credentials and the endpoint of this process's environment."""
    clients = Clients(attempts=2)
    try:
        yield clients
    finally:
        for service in clients._services.values():
            service.client.close()
