"""AWS on moto: a table and a bucket as the pipeline's template makes them, and the adapters over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moto import mock_aws

from mangavid.aws.environment import Environment
from mangavid.aws.instances import ROLES, SpotInstances
from mangavid.aws.jobs import DynamoJobs, table_definition
from mangavid.aws.objects import S3Objects
from mangavid.aws.secrets import SsmSecrets
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.config import Config
from mangavid.ports import Clock, Phase
from tests.fakes.memory import FakeClock

REGION = "us-east-1"
TABLE, BUCKET = "manga-pipeline-jobs", "manga-pipeline-test"
#: One that moto knows.
IMAGE = "ami-03cf127a"
#: Shared by all tests: moto hears whoever calls, and making clients is slow.
CLIENTS = Clients(REGION, attempts=1)
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass
class Cloud:
    clients: Clients
    clock: Clock

    @property
    def jobs(self) -> DynamoJobs:
        return DynamoJobs(self.clients["dynamodb"], TABLE, self.clock)

    def objects(self, cache: Path, **fields: int) -> S3Objects:
        return S3Objects(self.clients["s3"], BUCKET, cache, **fields)

    def instances(self, phase: Phase = "render", config: Config | None = None) -> SpotInstances:
        """A launch template as the pipeline's, and instances from it in the account's subnets."""
        ec2 = self.clients["ec2"]
        name = f"manga-pipeline-{ROLES[phase]}"
        known = ec2.call("describe_launch_templates", Filters=[{"Name": "launch-template-name", "Values": [name]}])
        made = (
            next(iter(known["LaunchTemplates"]), None)
            or ec2.call("create_launch_template", LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE})[
                "LaunchTemplate"
            ]
        )
        environment = Environment(
            config=config or Config(),
            table=TABLE,
            bucket=BUCKET,
            launch_template=made["LaunchTemplateId"],
            launch_version="1",
            subnets=tuple(one["SubnetId"] for one in ec2.call("describe_subnets")["Subnets"][:3]),
        )
        return SpotInstances(ec2, environment, FakeClock())

    @property
    def secrets(self) -> SsmSecrets:
        return SsmSecrets(self.clients["ssm"], "manga-pipeline")


@contextmanager
def credentials() -> Iterator[None]:
    """Some credentials, so that requests can be signed."""
    before = {name: os.environ.get(name) for name in _CREDENTIALS}
    os.environ.update(_CREDENTIALS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def cloud(clock: Clock | None = None) -> Iterator[Cloud]:
    """An empty account that ends with the block."""
    with credentials(), mock_aws(config={"core": {"reset_boto3_session": False}}):
        CLIENTS["dynamodb"].call("create_table", **table_definition(TABLE))
        CLIENTS["s3"].call("create_bucket", Bucket=BUCKET)
        yield Cloud(CLIENTS, clock or SystemClock())
