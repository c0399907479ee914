"""Step Functions, EC2, SSM and the environment beyond the ports' contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.stub import Stubber

from mangavid.aws import environment
from mangavid.aws.callbacks import TaskCallbacks
from mangavid.aws.environment import Environment
from mangavid.aws.instances import SpotInstances
from mangavid.aws.session import Clients, Service
from mangavid.config import Aws, Config, Local, Quota
from mangavid.errors import (
    AuthError,
    BadInput,
    ConfigError,
    LeaseLost,
    MangavidError,
    SpotCapacity,
    UpstreamUnavailable,
    UsageError,
)
from tests.fakes.aws import CLIENTS, IMAGE, REGION, Cloud, cloud, credentials
from tests.fakes.memory import FakeClock
from tests.fakes.stepfunctions import StepFunctions, serving


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as made:
        yield made


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_a_service_that_is_away_is_no_lost_lease(tmp_path: Path) -> None:
    service = StepFunctions(tmp_path / "journal.db", FakeClock())
    service.fail_next = 1
    with credentials(), serving(CLIENTS, service.answer):
        callbacks = TaskCallbacks(CLIENTS["stepfunctions"])
        with pytest.raises(UpstreamUnavailable):
            callbacks.heartbeat("t")
        with pytest.raises(LeaseLost):
            callbacks.heartbeat("t")
    assert service.calls == ["SendTaskHeartbeat", "SendTaskHeartbeat"]


def test_a_token_that_can_be_none_and_an_output_that_is_too_large_are_not_even_sent() -> None:
    callbacks = TaskCallbacks(Service("stepfunctions", lambda: None))
    for token in ("", "x" * 2049):
        with pytest.raises(LeaseLost):
            callbacks.heartbeat(token)
    with pytest.raises(BadInput, match="262144"):
        callbacks.success("t", {"x": "đ" * 131_072})


def test_error_and_cause_are_cut_to_what_aws_takes() -> None:
    client = Clients(REGION)["stepfunctions"].client
    stub = Stubber(client)
    stub.add_response("send_task_failure", {}, {"taskToken": "t", "error": "E" * 256, "cause": "c" * 32_768})
    with stub:
        TaskCallbacks(Service("stepfunctions", lambda: client)).failure("t", "E" * 300, "c" * 40_000)
    stub.assert_no_pending_responses()


# --- instances -------------------------------------------------------------------------------------------------------


def test_a_machine_says_in_its_tags_what_it_is_for_and_comes_from_at_least_six_pools(aws: Cloud) -> None:
    asked: list[dict[str, Any]] = []
    instances = aws.instances("upload")

    def listen(params: dict[str, Any], **_: object) -> None:
        asked.append(params)

    events = aws.clients["ec2"].client.meta.events
    events.register("provide-client-params.ec2.CreateFleet", listen)
    try:
        name = instances.launch("upload", "dem-trang", 3)
    finally:
        events.unregister("provide-client-params.ec2.CreateFleet", listen)
    (fleet,) = asked
    pools = fleet["LaunchTemplateConfigs"][0]["Overrides"]
    assert len({(pool["InstanceType"], pool["SubnetId"]) for pool in pools}) == len(pools) >= 6
    assert len(fleet["ClientToken"]) == 64
    found = aws.clients["ec2"].call("describe_instances", InstanceIds=[name])["Reservations"][0]["Instances"][0]
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"] if tag["Key"].startswith("mangavid:")} == {
        "mangavid:prefix": "manga-pipeline",
        "mangavid:role": "uploader",
        "mangavid:job": "dem-trang",
        "mangavid:epoch": "3",
    }
    instances.terminate(name)


def test_machines_of_another_channel_are_neither_listed_nor_ended(aws: Cloud) -> None:
    mine = aws.instances()
    other = aws.instances(config=Config(aws=Aws(prefix="other-channel")))
    name = other.launch("render", "a", 1)
    mine.terminate(name)
    assert list(mine.list()) == []
    assert other.alive(name)
    assert mine.launch("render", "a", 1) != name
    for found in mine.list():
        mine.terminate(found.instance)
    other.terminate(name)


def test_a_machine_without_the_tags_of_a_worker_is_left_alone(aws: Cloud) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "mangavid:prefix", "Value": "manga-pipeline"}]}]
    made = aws.clients["ec2"].call(
        "run_instances", ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=tags, InstanceType="t3.micro"
    )
    name = made["Instances"][0]["InstanceId"]
    instances = aws.instances()
    instances.terminate(name)
    assert list(instances.list()) == []
    assert instances.alive(name)
    aws.clients["ec2"].call("terminate_instances", InstanceIds=[name])


def fleets(*answers: Any, fallback: bool = False) -> tuple[SpotInstances, Stubber, FakeClock]:
    """Instances over a stub: nothing runs yet; each launch gets the next answer, an error code or a response."""
    client = Clients(REGION, attempts=1)["ec2"].client
    stub = Stubber(client)
    stub.add_response("describe_instances", {"Reservations": []})
    for answer in answers:
        if isinstance(answer, str):
            stub.add_client_error("create_fleet", answer, "why")
        else:
            stub.add_response("create_fleet", answer)
    set_up = Environment(
        config=Config(aws=Aws(on_demand_fallback=fallback)),
        table="t",
        bucket="b",
        launch_template="lt-1",
        launch_version="1",
        subnets=("subnet-1",),
    )
    clock = FakeClock()
    return SpotInstances(Service("ec2", lambda: client), set_up, clock), stub, clock


def none(*codes: str) -> dict[str, Any]:
    return {"Errors": [{"ErrorCode": code, "ErrorMessage": f"about {code}"} for code in codes], "Instances": []}


SOME = {"Instances": [{"InstanceIds": ["i-1"]}], "Errors": [{"ErrorCode": "InsufficientInstanceCapacity"}]}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (none("InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded"), SpotCapacity),
        (none("InsufficientInstanceCapacity", "InvalidParameterValue"), SpotCapacity),
        (none(), SpotCapacity),
        (none("UnauthorizedOperation"), AuthError),
        (none("InvalidLaunchTemplateId.NotFound"), ConfigError),
        ("MaxSpotInstanceCountExceeded", SpotCapacity),
        ("UnauthorizedOperation", AuthError),
        ("RequestLimitExceeded", UpstreamUnavailable),
    ],
)
def test_why_there_is_no_machine_is_told_apart(answer: Any, error: type[MangavidError]) -> None:
    instances, stub, _ = fleets(answer)
    with stub, pytest.raises(error) as told:
        instances.launch("render", "a", 1)
    assert type(told.value) is error


def test_errors_of_some_pools_do_not_hide_the_machine_that_another_gave() -> None:
    instances, stub, _ = fleets(SOME)
    with stub:
        assert instances.launch("render", "a", 1) == "i-1"


def test_the_full_price_is_paid_only_where_the_settings_say_so() -> None:
    instances, stub, _ = fleets(none("InsufficientInstanceCapacity"), SOME, fallback=True)
    with stub:
        assert instances.launch("render", "a", 1) == "i-1"
    instances, stub, _ = fleets(none("InsufficientInstanceCapacity"), SOME)
    with stub, pytest.raises(SpotCapacity, match="InsufficientInstanceCapacity"):
        instances.launch("render", "a", 1)


def test_a_function_that_is_not_set_up_to_launch_says_so() -> None:
    client = Clients(REGION)["ec2"].client
    stub = Stubber(client)
    stub.add_response("describe_instances", {"Reservations": []})
    set_up = Environment(config=Config(), table="t", bucket="b")
    with stub, pytest.raises(ConfigError, match="not set up"):
        SpotInstances(Service("ec2", lambda: client), set_up, FakeClock()).launch("render", "a", 1)


@pytest.mark.parametrize(("looks", "alive"), [(3, True), (5, False)])
def test_a_new_machine_that_ec2_does_not_know_yet_is_looked_for_some_times(looks: int, alive: bool) -> None:
    client = Clients(REGION, attempts=1)["ec2"].client
    stub = Stubber(client)
    for _ in range(looks):
        stub.add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    running = {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "pending"}}]}]}
    stub.add_response("describe_instances", running)
    clock = FakeClock()
    set_up = Environment(config=Config(), table="t", bucket="b")
    with stub:
        assert SpotInstances(Service("ec2", lambda: client), set_up, clock).alive("i-1") is alive
    assert sum(clock.slept) <= 8


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_stored_encrypted_replaced_listed_and_removed(aws: Cloud) -> None:
    secrets = aws.secrets
    secrets.put("openai-api-key", "first")
    secrets.put("openai-api-key", "second")
    assert secrets.get("openai-api-key") == "second"
    stored = aws.clients["ssm"].call("get_parameter", Name="/manga-pipeline/openai-api-key")["Parameter"]
    assert stored["Type"] == "SecureString"
    assert "second" not in stored["Value"] or stored["Value"].startswith("kms:")
    assert list(secrets.names()) == ["openai-api-key"]
    assert secrets.delete("openai-api-key")
    assert not secrets.delete("openai-api-key")


def test_a_secret_that_is_not_set_is_told_with_the_command_that_sets_it(aws: Cloud) -> None:
    with pytest.raises(AuthError) as told:
        aws.secrets.get("youtube-token")
    assert told.value.hint == "mangavid secrets set youtube"


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "a--", "/a"])
def test_a_name_that_can_lead_elsewhere_names_no_secret(aws: Cloud, name: str) -> None:
    with pytest.raises(UsageError):
        aws.secrets.get(name)


def test_a_secret_that_does_not_fit_is_refused_without_being_told(aws: Cloud) -> None:
    with pytest.raises(UsageError) as told:
        aws.secrets.put("key", "s3cr3t" * 1000)
    assert "s3cr3t" not in str(told.value)


# --- the environment -------------------------------------------------------------------------------------------------

LEAST = {"MANGAVID_TABLE": "t", "MANGAVID_BUCKET": "b"}


def test_settings_travel_as_what_differs_from_the_defaults() -> None:
    config = Config(quota=Quota(daily=7), aws=Aws(prefix="kenh-hai"))
    text = environment.settings(config)
    assert json.loads(text) == {"aws": {"prefix": "kenh-hai"}, "quota": {"daily": 7}}
    assert environment.settings(Config(local=Local(home="/here"), aws=Aws(profile="mine"))) == "{}"
    assert environment.read({**LEAST, "MANGAVID_SETTINGS": text}).config == config


def test_the_environment_is_read() -> None:
    variables = {
        **LEAST,
        "MANGAVID_STATE_MACHINE": "arn",
        "MANGAVID_LAUNCH_TEMPLATE": "lt-1",
        "MANGAVID_LAUNCH_VERSION": "3",
        "MANGAVID_SUBNETS": "subnet-1, subnet-2",
        "AWS_REGION": "ap-southeast-1",
    }
    assert msgspec.structs.asdict(environment.read(variables)) == {
        "config": Config(),
        "table": "t",
        "bucket": "b",
        "state_machine": "arn",
        "region": "ap-southeast-1",
        "launch_template": "lt-1",
        "launch_version": "3",
        "subnets": ("subnet-1", "subnet-2"),
    }


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "MANGAVID_TABLE"),
        ({"MANGAVID_TABLE": "t"}, "MANGAVID_BUCKET"),
        ({**LEAST, "MANGAVID_SETTINGS": "{"}, "MANGAVID_SETTINGS"),
        ({**LEAST, "MANGAVID_SETTINGS": '{"no": 1}'}, "MANGAVID_SETTINGS"),
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        environment.read(variables)
