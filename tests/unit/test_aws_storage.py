"""DynamoDB and S3 beyond the ports' contracts: values, lost answers, conflicts, parts, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProfileNotFound,
)
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mangavid.aws.failures import failure
from mangavid.aws.jobs import DynamoJobs, plain, typed
from mangavid.aws.objects import S3Objects
from mangavid.aws.session import Clients, Service
from mangavid.errors import AuthError, ConditionFailed, ConfigError, MangavidError, SourceNotFound, UpstreamUnavailable
from mangavid.ports import Change, Clause
from tests.fakes.aws import BUCKET, REGION, TABLE, Cloud, cloud
from tests.fakes.memory import FakeClock, InMemoryJobs


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as made:
        yield made


# --- values ----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-100)
    | st.text(max_size=8)
    | st.frozensets(st.text(min_size=1, max_size=5), min_size=1, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert plain(typed(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_is_no_json_value_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="can't be stored"):
        typed(value)


# --- changes ---------------------------------------------------------------------------------------------------------

FIELDS = st.sampled_from(["status", "name", "token", "size", "a-b", "x y"])
MEMBERS = st.lists(st.sampled_from(["p", "q", "r"]), min_size=1, max_size=2)
CLAUSES = st.one_of(
    st.builds(Clause, FIELDS, st.sampled_from(["absent", "present"])),
    st.builds(Clause, FIELDS, st.sampled_from(["eq", "ne"]), st.sampled_from(["", "v", "w"])),
    st.builds(Clause, FIELDS, st.just("in"), st.sampled_from([(), ("v",), ("v", "w")])),
    st.builds(Clause, st.just("members"), st.sampled_from(["contains", "not_contains"]), st.sampled_from(["p", "q"])),
    st.builds(Clause, st.just("members"), st.just("size_lt"), st.integers(0, 3)),
    st.builds(Clause, st.just("number"), st.just("lt"), st.integers(-1, 3)),
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    return Change(
        key=draw(st.sampled_from(["JOB#a", "JOB#b"])),
        set=draw(st.dictionaries(FIELDS, st.sampled_from(["v", "w"]), max_size=2)),
        remove=draw(st.lists(st.one_of(FIELDS, st.sampled_from(["members", "number"])), max_size=2, unique=True)),
        **draw(
            st.sampled_from([{}, {"plus": {"number": 1}}, {"add": {"members": ["p"]}}, {"discard": {"members": ["p"]}}])
        ),
        when=draw(st.lists(st.lists(CLAUSES, min_size=1, max_size=2), max_size=2)),
    )


def outcome(jobs: Any, some: list[Change]) -> tuple[Any, Any]:
    try:
        return "made", jobs.change(*some)
    except ConditionFailed as refused:
        return "refused", refused.current


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(changes(), min_size=1, max_size=2, unique_by=lambda change: change.key), max_size=8))
def test_any_changes_come_out_as_they_do_in_memory(aws: Cloud, sequence: list[list[Change]]) -> None:
    memory = InMemoryJobs()
    for key in ("JOB#a", "JOB#b"):
        aws.clients["dynamodb"].call("delete_item", TableName=TABLE, Key={"pk": {"S": key}})
    for some in sequence:
        assert outcome(aws.jobs, some) == outcome(memory, some)
        for key in ("JOB#a", "JOB#b"):
            assert aws.jobs.get(key) == memory.get(key)


def test_the_mark_that_lists_runs_is_not_part_of_their_items(aws: Cloud) -> None:
    aws.jobs.change(Change(key="RUN#m", set={"started_at": "5"}))
    assert aws.jobs.get("RUN#m") == {"key": "RUN#m", "started_at": "5"}
    assert {"key": "RUN#m", "started_at": "5"} in list(aws.jobs.runs())


def test_jobs_are_listed_over_all_pages(aws: Cloud) -> None:
    for n in range(4):
        notes = ["x" * 300_000]
        aws.jobs.change(Change(key=f"JOB#p{n}", set={"status": "quarantined", "updated_at": f"{n}", "notes": notes}))
    assert [item["key"] for item in aws.jobs.by_status("quarantined")] == ["JOB#p3", "JOB#p2", "JOB#p1", "JOB#p0"]


def test_who_takes_a_few_jobs_is_sent_a_few_and_who_wants_more_gets_pages(aws: Cloud) -> None:
    for n in range(60):
        aws.jobs.change(Change(key=f"JOB#few{n:02}", set={"status": "interrupted", "updated_at": f"{n:02}"}))
    asked: list[dict[str, Any]] = []

    def hear(params: dict[str, Any], **_: object) -> None:
        asked.append(json.loads(params["body"]))

    events = aws.clients["dynamodb"].client.meta.events
    events.register("before-call.dynamodb.Query", hear)
    try:
        found = aws.jobs.by_status("interrupted")
        assert [item["key"] for item in islice(found, 20)] == [f"JOB#few{n}" for n in range(59, 39, -1)]
        assert [one["Limit"] for one in asked] == [25]
        assert len(list(found)) == 40
        assert [one.get("Limit") for one in asked] == [25, None]
    finally:
        events.unregister("before-call.dynamodb.Query", hear)


def stubbed(name: str = "dynamodb") -> tuple[Service, Stubber]:
    client = Clients(REGION, attempts=1)[name].client
    return Service(name, lambda: client), Stubber(client)


CLAIM = Change(key="JOB#a", set={"lease_owner": "me"}, when=[[Clause("epoch", "eq", 1)]])


@pytest.mark.parametrize(("owner", "mine"), [("me", True), ("other", False)])
def test_a_write_whose_answer_was_lost_is_recognised_when_it_is_sent_again(owner: str, mine: bool) -> None:
    service, stub = stubbed()
    item = {"pk": {"S": "JOB#a"}, "epoch": {"N": "2"}, "lease_owner": {"S": owner}}
    stub.add_client_error(
        "update_item",
        "ConditionalCheckFailedException",
        response_meta={"RetryAttempts": 1},
        modeled_fields={"Item": item},
    )
    with stub:
        assert outcome(DynamoJobs(service, TABLE, FakeClock()), [CLAIM]) == (
            ("made", [{"key": "JOB#a", "epoch": 2, "lease_owner": "me"}])
            if mine
            else ("refused", {"key": "JOB#a", "epoch": 2, "lease_owner": "other"})
        )


def test_a_refusal_of_a_write_that_was_sent_once_is_a_refusal_though_the_item_looks_alike() -> None:
    service, stub = stubbed()
    item = {"pk": {"S": "JOB#a"}, "lease_owner": {"S": "me"}}
    stub.add_client_error("update_item", "ConditionalCheckFailedException", modeled_fields={"Item": item})
    with stub, pytest.raises(ConditionFailed):
        DynamoJobs(service, TABLE, FakeClock()).change(CLAIM)


def test_writers_that_meet_wait_for_each_other_and_in_the_end_say_so() -> None:
    service, stub = stubbed()
    clock = FakeClock()
    conflict = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
    for _ in range(2):
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=conflict)
    stub.add_response("transact_write_items", {})
    for key in ("JOB#a", "JOB#b"):
        stub.add_response("get_item", {"Item": {"pk": {"S": key}}})
    with stub:
        made = DynamoJobs(service, TABLE, clock).change(Change(key="JOB#a"), Change(key="JOB#b"))
    assert made == [{"key": "JOB#a"}, {"key": "JOB#b"}]
    assert clock.slept == [0.05, 0.1]
    for _ in range(7):
        stub.add_client_error("update_item", "TransactionConflictException")
    with stub, pytest.raises(UpstreamUnavailable, match="changed by others"):
        DynamoJobs(service, TABLE, clock).change(CLAIM)


# --- objects ---------------------------------------------------------------------------------------------------------

MIB = 1 << 20


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big.mp4"
    file.write_bytes(bytes(range(256)) * (11 * MIB // 256) + b"end")
    return file


def uploads(aws: Cloud) -> list[Any]:
    return list(aws.clients["s3"].call("list_multipart_uploads", Bucket=BUCKET).get("Uploads", ()))


def test_a_large_file_goes_in_parts_and_comes_back_whole(aws: Cloud, tmp_path: Path, big: Path) -> None:
    objects = aws.objects(tmp_path / "cache", part_bytes=5 * MIB)
    product = objects.put("jobs/a/final/big.mp4", big, if_absent=True)
    stored = aws.clients["s3"].call("head_object", Bucket=BUCKET, Key=product.key)
    assert stored["ETag"].endswith('-3"')
    assert objects.fetch(product.key).read_bytes() == big.read_bytes()
    with pytest.raises(ConditionFailed):
        objects.put("jobs/a/final/big.mp4", big, if_absent=True)
    assert uploads(aws) == []


def test_an_upload_that_fails_midway_leaves_no_parts(aws: Cloud, tmp_path: Path, big: Path) -> None:
    class Failing(Service):
        def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
            if operation == "upload_part" and parameters["PartNumber"] == 3:
                raise UpstreamUnavailable("gone")
            return aws.clients["s3"].call(operation, **parameters)

    objects = S3Objects(Failing("s3", lambda: None), BUCKET, tmp_path, part_bytes=5 * MIB)
    with pytest.raises(UpstreamUnavailable):
        objects.put("jobs/a/final/broken.mp4", big)
    assert uploads(aws) == []
    assert not aws.objects(tmp_path).exists("jobs/a/final/broken.mp4")


def test_a_fetched_file_is_kept_until_there_is_another_version(aws: Cloud, tmp_path: Path) -> None:
    objects = aws.objects(tmp_path)
    objects.put("jobs/f/pages/p.png", b"1")
    first = objects.fetch("jobs/f/pages/p.png")
    assert first.suffix == ".png"
    kept = first.stat().st_ino
    assert objects.fetch("jobs/f/pages/p.png").stat().st_ino == kept
    objects.put("jobs/f/pages/p.png", b"2")
    assert objects.fetch("jobs/f/pages/p.png").read_bytes() == b"2"
    assert [file.name[0] for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_more_objects_than_one_call_takes_are_listed_and_deleted(aws: Cloud, tmp_path: Path) -> None:
    objects = aws.objects(tmp_path)
    names = [f"jobs/m/pages/{n:04}.png" for n in range(1003)]
    for name in names:
        objects.put(name, b"")
    objects.put("jobs/m/pages/other.png", b"")
    assert [one.key for one in objects.list("jobs/m/pages/")][:-1] == names
    assert objects.delete(names) == 1003
    assert [one.key for one in objects.list("jobs/m/pages/")] == ["jobs/m/pages/other.png"]
    assert objects.delete([]) == 0


@pytest.mark.parametrize(
    ("key", "tags"),
    [
        ("jobs/t/pages/p.png", [{"Key": "mangavid:life", "Value": "temporary"}]),
        ("jobs/t/render/s.mp4", [{"Key": "mangavid:life", "Value": "temporary"}]),
        ("jobs/t/final/x/e1/video.mp4", []),
    ],
)
def test_only_temporary_objects_have_the_tag_by_which_the_bucket_deletes_them(
    aws: Cloud, tmp_path: Path, key: str, tags: list[Any]
) -> None:
    aws.objects(tmp_path).put(key, b".")
    assert aws.clients["s3"].call("get_object_tagging", Bucket=BUCKET, Key=key)["TagSet"] == tags


@pytest.mark.parametrize(("there", "error"), [(False, SourceNotFound), (True, AuthError)])
def test_a_role_that_sees_little_is_told_missing_from_forbidden(
    tmp_path: Path, there: bool, error: type[MangavidError]
) -> None:
    service, stub = stubbed("s3")
    stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
    contents = [{"Key": "jobs/a/x", "ETag": '"1"', "Size": 1}] if there else []
    stub.add_response("list_objects_v2", {"Contents": contents})
    if there:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
    with stub, pytest.raises(error, match=r"jobs/a/x|get_object"):
        S3Objects(service, BUCKET, tmp_path).get("jobs/a/x")
    stub.assert_no_pending_responses()


# --- failures --------------------------------------------------------------------------------------------------------


def refused(code: str, status: int = 400, message: str = "why") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetItem")


@pytest.mark.parametrize(
    ("problem", "error", "said"),
    [
        (refused("AccessDeniedException"), AuthError, "permission"),
        (refused("UnauthorizedOperation", 403), AuthError, "permission"),
        (refused("ExpiredTokenException"), AuthError, "sign in"),
        (refused("UnrecognizedClientException"), AuthError, "sign in"),
        (refused("ThrottlingException"), UpstreamUnavailable, "again"),
        (refused("SlowDown", 503), UpstreamUnavailable, "again"),
        (refused("Anything", 500), UpstreamUnavailable, "again"),
        (refused("NoSuchBucket", 404), ConfigError, "deploy"),
        (refused("ResourceNotFoundException"), ConfigError, "deploy"),
        (refused("ValidationException"), MangavidError, ""),
        (NoCredentialsError(), AuthError, "sign in"),
        (NoRegionError(), ConfigError, "AWS_REGION"),
        (ProfileNotFound(profile="p"), ConfigError, "list-profiles"),
        (EndpointConnectionError(endpoint_url="http://x"), UpstreamUnavailable, "again"),
        (BotoCoreError(), MangavidError, ""),
    ],
)
def test_what_aws_says_becomes_an_error_with_what_to_do(
    problem: Exception, error: type[MangavidError], said: str
) -> None:
    told = failure(problem, "dynamodb get_item")
    assert type(told) is error
    assert str(told).startswith("dynamodb get_item: ")
    assert said in told.hint


def test_parameters_that_were_refused_are_not_repeated() -> None:
    told = failure(ParamValidationError(report="taskToken: s3cr3t"), "stepfunctions send_task_success")
    assert "s3cr3t" not in str(told)
