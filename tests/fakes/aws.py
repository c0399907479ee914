"""AWS on moto: a table and a bucket as the pipeline's template makes them, and the adapters over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moto import mock_aws

from mangavid.aws.jobs import DynamoJobs, table_definition
from mangavid.aws.objects import S3Objects
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.ports import Clock

REGION = "us-east-1"
TABLE, BUCKET = "manga-pipeline-jobs", "manga-pipeline-test"
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


@contextmanager
def cloud(clock: Clock | None = None) -> Iterator[Cloud]:
    """An empty account that ends with the block."""
    before = {name: os.environ.get(name) for name in _CREDENTIALS}
    os.environ.update(_CREDENTIALS)
    try:
        with mock_aws(config={"core": {"reset_boto3_session": False}}):
            CLIENTS["dynamodb"].call("create_table", **table_definition(TABLE))
            CLIENTS["s3"].call("create_bucket", Bucket=BUCKET)
            yield Cloud(CLIENTS, clock or SystemClock())
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
