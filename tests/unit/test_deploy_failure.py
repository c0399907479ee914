"""What really failed, out of event lists in AWS's words, and the log behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mangavid.aws.deploy.failure import STACK, Event, cause, failed, refused, stuck
from mangavid.errors import AuthError, DeployFailed
from tests.fakes.formation import Client, Formation, error

NAME = "manga-pipeline"
FUNCTION, ALARM, ROLE = "AWS::Lambda::Function", "AWS::CloudWatch::Alarm", "AWS::IAM::Role"


def events(*rows: tuple[str, str, str, str]) -> list[Event]:
    """Oldest first: (logical id, type, status, reason)."""
    return [
        Event(
            id=str(n),
            resource=resource,
            physical=f"{NAME}-{resource.lower()}",
            type=kind,
            status=status,
            reason=reason,
            at=1_800_000_000 + n,
        )
        for n, (resource, kind, status, reason) in enumerate(rows)
    ]


NO_THRESHOLD = "Resource handler returned message: \"1 validation error detected: Value null at 'threshold'\" (RequestToken: 0, HandlerErrorCode: InvalidRequest)"  # noqa: E501
#: As a create goes that one resource stops.
CREATE = events(
    (NAME, STACK, "CREATE_IN_PROGRESS", "User Initiated"),
    ("FetcherRole", ROLE, "CREATE_IN_PROGRESS", ""),
    ("Alarm", ALARM, "CREATE_IN_PROGRESS", ""),
    ("Table", "AWS::DynamoDB::Table", "CREATE_FAILED", "Resource creation cancelled"),
    ("Alarm", ALARM, "CREATE_FAILED", NO_THRESHOLD),
    ("FetcherRole", ROLE, "CREATE_FAILED", "Resource creation cancelled"),
    (NAME, STACK, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Alarm, Table, FetcherRole]. Rollback requested by user."),  # noqa: E501
    ("Alarm", ALARM, "DELETE_COMPLETE", ""),
    ("Bucket", "AWS::S3::Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
    (NAME, STACK, "ROLLBACK_FAILED", "The following resource(s) failed to delete: [Bucket]. "),
)  # fmt: skip
NO_KEY = "S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
#: An update whose rollback fails by something else.
STUCK = events(
    (NAME, STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
    ("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", "Resource update cancelled"),
    ("Alarm", ALARM, "UPDATE_FAILED", NO_THRESHOLD),
    (NAME, STACK, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Alarm, Queue]. "),
    ("FetcherFunction", FUNCTION, "UPDATE_FAILED", NO_KEY),
    (NAME, STACK, "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [FetcherFunction]. "),
)  # fmt: skip


class Logs:
    """One log group with streams, newest first, of lines at times in milliseconds."""

    def __init__(self, group: str, *streams: Sequence[tuple[int, str]]) -> None:
        self.group, self.streams = group, streams
        self.client = Client("logs", {"describe_log_streams": self._streams, "get_log_events": self._events})

    def _streams(self, **given: Any) -> dict[str, Any]:
        if given["logGroupName"] != self.group:
            raise error("ResourceNotFoundException", "The specified log group does not exist.", "DescribeLogStreams")
        assert given["orderBy"] == "LastEventTime" and given["descending"]
        return {"logStreams": [{"logStreamName": str(n)} for n, _ in enumerate(self.streams)]}

    def _events(self, **given: Any) -> dict[str, Any]:
        lines = [one for one in self.streams[int(given["logStreamName"])] if one[0] >= given["startTime"]]
        shown = lines[: given["limit"]] if given["startFromHead"] else lines[-given["limit"] :]
        return {"events": [{"timestamp": at, "message": text} for at, text in shown]}


def failure(status: str, happened: Sequence[Event], logs: Logs | None = None) -> Exception:
    site = Formation().site(**({"logs": logs.client} if logs else {}))
    return failed(site, status, "it ended so", happened)


# --- the cause -------------------------------------------------------------------------------------------------------


def test_the_cause_is_what_failed_by_itself_not_what_was_cancelled_before_nor_what_failed_after() -> None:
    found = cause(CREATE)
    assert found is not None
    assert (found.resource, found.status) == ("Alarm", "CREATE_FAILED")


@pytest.mark.parametrize(
    ("rows", "resource"),
    [
        ([], None),
        ([(NAME, STACK, "UPDATE_COMPLETE", "")], None),
        # Only what follows from something that is not told.
        ([("A", ALARM, "CREATE_FAILED", "Resource creation cancelled"), (NAME, STACK, "ROLLBACK_FAILED", "")], "A"),
        ([("A", ALARM, "CREATE_FAILED", "")], "A"),
        # The stack itself, before any resource.
        ([(NAME, STACK, "CREATE_FAILED", "Export x is already exported by stack y")], NAME),
        (
            [
                (NAME, STACK, "UPDATE_FAILED", "Unable to reach the stack's role"),
                ("A", ALARM, "UPDATE_FAILED", "Resource update cancelled"),
            ],
            NAME,
        ),
        # A resource goes before the stack, wherever it stands.
        ([(NAME, STACK, "UPDATE_FAILED", "Odd"), ("A", ALARM, "UPDATE_FAILED", "bad")], "A"),
        ([("A", ALARM, "UPDATE_FAILED", "first"), ("B", ALARM, "UPDATE_FAILED", "second")], "A"),
        (
            [
                ("A", ALARM, "DELETE_FAILED", "in use"),
                (NAME, STACK, "DELETE_FAILED", "The following resource(s) failed to delete: [A]."),
            ],
            "A",
        ),
    ],
)
def test_the_cause_is_found_in_any_order_of_events(rows: list[tuple[str, str, str, str]], resource: str | None) -> None:
    found = cause(events(*rows))
    assert (found.resource if found else None) == resource


def test_what_is_stuck_is_what_failed_in_the_last_rollback() -> None:
    found = stuck(STUCK)
    assert found is not None and found.resource == "FetcherFunction"
    assert stuck(CREATE[:6]) is None


# --- the error -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ("DELETE_COMPLETE", "nothing of it is left"),
        ("UPDATE_ROLLBACK_COMPLETE", "everything is as it was before"),
        ("DELETE_FAILED", "the rest was deleted"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_the_error_names_the_resource_why_and_what_is_left(status: str, left: str) -> None:
    problem = failure(status, CREATE)
    assert isinstance(problem, DeployFailed)
    assert str(problem) == f"Alarm ({ALARM}): {NO_THRESHOLD}; {left}"
    assert problem.hint


def test_where_no_event_tells_why_the_stack_s_own_reason_is_told() -> None:
    assert str(failure("ROLLBACK_COMPLETE", [])) == f"the stack {NAME} ended as ROLLBACK_COMPLETE: it ended so"


def test_a_rollback_that_failed_tells_both_what_stopped_the_change_and_what_could_not_be_taken_back() -> None:
    problem = failure("UPDATE_ROLLBACK_FAILED", STUCK)
    assert isinstance(problem, DeployFailed)
    first, *rest = str(problem).splitlines()
    assert first == f"Alarm ({ALARM}): {NO_THRESHOLD}; and it could not be taken back"
    assert rest == [f"not taken back: FetcherFunction ({FUNCTION}): {NO_KEY}"]
    assert f"--stack-name {NAME} --resources-to-skip FetcherFunction" in problem.hint


@pytest.mark.parametrize(
    "reason",
    [
        "API: iam:CreateRole User: arn:aws:iam::1:user/an is not authorized to perform: iam:CreateRole",
        "You are not authorized to perform this operation. Encoded authorization failure message: x",
        'Resource handler returned message: "Access Denied" (HandlerErrorCode: AccessDenied)',
        "Your access has been denied by S3, please make sure your request credentials have permission: Access Denied",
    ],
)
def test_a_right_that_is_missing_is_told_as_that(reason: str) -> None:
    problem = failure("UPDATE_ROLLBACK_COMPLETE", events(("Role", ROLE, "UPDATE_FAILED", reason)))
    assert isinstance(problem, AuthError)
    assert isinstance(refused(reason), AuthError)


def test_a_reason_of_many_lines_is_one_line() -> None:
    problem = failure("DELETE_COMPLETE", events(("A", ALARM, "CREATE_FAILED", "one\r\n  two\n\nthree")))
    assert str(problem) == f"A ({ALARM}): one two three; nothing of it is left"


def test_a_template_that_is_refused_says_that_nothing_was_changed() -> None:
    problem = refused("Template error:\n x", ["Bucket: is there"])
    assert isinstance(problem, DeployFailed)
    assert (str(problem), problem.hint) == (
        "AWS refuses the template: Template error: x\nBucket: is there",
        "nothing was changed",
    )


# --- the log behind it -----------------------------------------------------------------------------------------------

AT = 1_800_000_000_000


def test_the_last_lines_that_a_failed_function_logged_meanwhile_are_told() -> None:
    lines = [(AT + n, f"line {n}\n") for n in range(2500)]
    logs = Logs(f"/aws/lambda/{NAME}-fetcher", [(AT - 1, "from the day before"), *lines], [(AT + 5, "an older stream")])
    happened = events(
        (
            "Rule",
            "AWS::Events::Rule",
            "UPDATE_FAILED",
            f"Error: arn:aws:lambda:eu-west-1:1:function:{NAME}-fetcher broke",
        )
    )
    first, *rest = str(failure("UPDATE_ROLLBACK_COMPLETE", happened, logs)).splitlines()
    assert first.endswith("everything is as it was before")
    assert rest == [f"its log: line {n}" for n in range(2490, 2500)]


def test_lines_from_before_the_change_are_not_its_log() -> None:
    logs = Logs(f"/aws/lambda/{NAME}-fetcherfunction", [(AT - 1, "from the day before")])
    happened = events(("FetcherFunction", FUNCTION, "UPDATE_FAILED", "did not stabilise"))
    assert len(str(failure("UPDATE_ROLLBACK_COMPLETE", happened, logs)).splitlines()) == 1
    logs = Logs(f"/aws/lambda/{NAME}-fetcherfunction", [(AT + 1, "ImportError: no x")])
    assert str(failure("UPDATE_ROLLBACK_COMPLETE", happened, logs)).splitlines()[1:] == ["its log: ImportError: no x"]


@pytest.mark.parametrize(
    "reason",
    [f"role {NAME}-fetcher-eu-west-1 is bad", f"bucket {NAME}-artifacts-1", f"{NAME}-fetcher2", "nobody is named"],
)
def test_what_only_begins_like_a_function_has_no_log(reason: str) -> None:
    logs = Logs(f"/aws/lambda/{NAME}-fetcher", [(AT + 1, "not asked for")])
    problem = failure("UPDATE_ROLLBACK_COMPLETE", events(("R", ROLE, "UPDATE_FAILED", reason)), logs)
    assert "not asked for" not in str(problem)
    assert logs.client.calls == []


@pytest.mark.parametrize(
    "problem",
    [
        error("ResourceNotFoundException", "The specified log group does not exist.", "DescribeLogStreams"),
        error("AccessDeniedException", "not authorized", "DescribeLogStreams"),
        RuntimeError("a bug"),
    ],
)
def test_a_log_that_can_not_be_read_hides_nothing_of_the_failure(problem: Exception) -> None:
    logs = Logs(f"/aws/lambda/{NAME}-fetcherfunction", [(AT + 1, "x")])
    logs.client.refuse["describe_log_streams"] = [problem]
    happened = events(("FetcherFunction", FUNCTION, "CREATE_FAILED", "no code"))
    assert str(failure("DELETE_COMPLETE", happened, logs)) == (
        f"FetcherFunction ({FUNCTION}): no code; nothing of it is left"
    )
    assert logs.client.calls != []
