"""AWS as a target: the jobs table in DynamoDB, objects in S3, Step Functions, Spot machines of EC2."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mangavid.aws.environment import Environment
    from mangavid.aws.objects import S3Objects
    from mangavid.aws.session import Clients
    from mangavid.config import Config
    from mangavid.ports import Clock, Publisher, Source, Target


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
    from mangavid.aws.secrets import SsmSecrets
    from mangavid.aws.session import Clients
    from mangavid.clock import SystemClock
    from mangavid.ports import Target, silent
    from mangavid.providers import Sources, open_publisher, open_voice, open_writer

    config = environment.config
    clients = clients or Clients(environment.region)
    clock = clock or SystemClock()
    cache = cache or Path(tempfile.mkdtemp(prefix="mangavid-objects-"))
    objects = S3Objects(clients["s3"], environment.bucket, cache)
    jobs = DynamoJobs(clients["dynamodb"], environment.table, clock)
    secrets = SsmSecrets(clients["ssm"], config.aws.prefix)
    progress = progress or silent
    library = cache / "library"
    sources = Sources(
        config,
        jobs=jobs,
        objects=objects,
        clock=clock,
        progress=progress,
        files=lambda keys: _chapters(objects, library, keys),
        library=lambda: _chapters(objects, library, ()),
    )
    return Target(
        config=config,
        jobs=jobs,
        objects=objects,
        executions=StepFunctionsExecutions(clients["stepfunctions"], environment.state_machine),
        callbacks=TaskCallbacks(clients["stepfunctions"]),
        instances=SpotInstances(clients["ec2"], environment, clock),
        clock=clock,
        secrets=secrets,
        source=sources.of,
        writer=lambda: open_writer(config, secrets, clock),
        voice=lambda engine: open_voice(config, engine, secrets, clock),
        publisher=lambda: open_publisher(config, secrets, clock, lambda: _bucket(environment)),
        progress=progress,
    )


def _chapters(objects: S3Objects, folder: Path, named: Sequence[str]) -> Source:
    from mangavid.aws.library import BucketLibrary

    return BucketLibrary(objects, folder, named=tuple(named))


def _bucket(environment: Environment) -> Publisher:
    from mangavid.aws.publisher import BucketPublisher

    return BucketPublisher(environment.bucket)
