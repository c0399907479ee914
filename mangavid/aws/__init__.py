"""AWS as a target: the jobs table in DynamoDB, objects in S3, Step Functions, Spot machines of EC2."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mangavid.aws.environment import Environment
    from mangavid.aws.objects import S3Objects
    from mangavid.aws.session import Clients
    from mangavid.config import Config
    from mangavid.ports import Clock, Item, Publisher, Source, Target, Voice, Writer


def open_target(
    config: Config,
    *,
    clients: Clients | None = None,
    progress: Callable[[str, int, int, str], None] | None = None,
) -> Target:
    """The ports of what is deployed for these settings, as seen from outside AWS: nothing is launched from here.

    One call tells which account it is. Raises AuthError, ConfigError, UpstreamUnavailable.
    """
    from mangavid.aws.environment import Environment
    from mangavid.aws.names import Names
    from mangavid.aws.session import Clients

    clients = clients or Clients(config.aws.region or None, profile=config.aws.profile)
    caller = clients["sts"].call("get_caller_identity")
    account, partition = str(caller["Account"]), str(caller["Arn"]).split(":")[1]
    names, region = Names(config.aws.prefix), clients.region
    environment = Environment(
        config=config,
        table=names.table,
        bucket=names.bucket(account, region),
        state_machine=f"arn:{partition}:states:{region}:{account}:stateMachine:{names.machine}",
        region=region,
    )
    return target_of(environment, clients=clients, progress=progress)


def target_of(
    environment: Environment,
    *,
    clients: Clients | None = None,
    clock: Clock | None = None,
    cache: Path | None = None,
    progress: Callable[[str, int, int, str], None] | None = None,
) -> Target:
    """The ports that an environment names. Calls nothing yet. ``cache``: a folder for fetched objects."""
    from mangavid.aws.callbacks import TaskCallbacks
    from mangavid.aws.executions import StepFunctionsExecutions
    from mangavid.aws.instances import SpotInstances
    from mangavid.aws.jobs import DynamoJobs
    from mangavid.aws.objects import S3Objects
    from mangavid.aws.session import Clients
    from mangavid.clock import SystemClock
    from mangavid.ports import Target, silent

    config = environment.config
    clients = clients or Clients(environment.region)
    clock = clock or SystemClock()
    cache = cache or Path(tempfile.mkdtemp(prefix="mangavid-objects-"))
    objects = S3Objects(clients["s3"], environment.bucket, cache)
    return Target(
        config=config,
        jobs=DynamoJobs(clients["dynamodb"], environment.table, clock),
        objects=objects,
        executions=StepFunctionsExecutions(clients["stepfunctions"], environment.state_machine),
        callbacks=TaskCallbacks(clients["stepfunctions"]),
        instances=SpotInstances(clients["ec2"], environment, clock),
        clock=clock,
        source=lambda run: _source(objects, cache, run),
        writer=lambda: _writer(config),
        voice=lambda: _voice(config),
        publisher=lambda: _publisher(environment),
        progress=progress or silent,
    )


def _source(objects: S3Objects, cache: Path, run: Item) -> Source:
    from mangavid.aws.library import BucketLibrary

    return BucketLibrary(objects, cache / "library", named=tuple(run.get("sources", ())))


def _writer(config: Config) -> Writer:
    from mangavid.writers.offline import OfflineWriter

    return OfflineWriter(config.writer)


def _voice(config: Config) -> Voice:
    from mangavid.voices.espeak import EspeakVoice

    return EspeakVoice(config.voice)


def _publisher(environment: Environment) -> Publisher:
    from mangavid.aws.publisher import BucketPublisher

    return BucketPublisher(environment.bucket)
