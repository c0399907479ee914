"""CloudFormation with one stack whose fate is written down beforehand: for what no emulator does.

Every call and every answer is held against botocore's model of the service, so neither can have a shape AWS has not.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from mangavid.aws.deploy.site import Site
from mangavid.aws.session import Service
from mangavid.config import Config

ACCOUNT, REGION = "123456789012", "eu-west-1"
STACK = "manga-pipeline"
ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/01234567-89ab-cdef-0123-456789abcdef"
OF_STACK = "AWS::CloudFormation::Stack"

#: A thing that happens: logical id (empty: the stack itself), type, status, reason.
Happens = tuple[str, str, str, str]

VERBS = ("_describe_", "_get_", "_create_", "_list_", "_execute_", "_delete_", "_continue_", "_update_")
_session = botocore.session.Session()


def stack(status: str, reason: str = "") -> Happens:
    return ("", OF_STACK, status, reason)


def error(code: str, message: str, operation: str, *, attempts: int = 0, status: int = 400) -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RetryAttempts": attempts, "HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


class Client:
    """What botocore makes for a service, each operation a function of the keyword arguments."""

    def __init__(self, service: str, operations: Mapping[str, Callable[..., dict[str, Any]]]) -> None:
        self._model = _session.get_service_model(service)
        self._operations = operations
        #: Operations in the order they were called, with what they were given.
        self.calls: list[tuple[str, dict[str, Any]]] = []
        #: What the next calls of an operation are answered with instead of being done.
        self.refuse: dict[str, list[BaseException]] = {}

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        shape = self._model.operation_model("".join(word.capitalize() for word in name.split("_")))

        def call(**given: Any) -> dict[str, Any]:
            self.calls.append((name, given))
            self._check(given, shape.input_shape, name)
            if self.refuse.get(name):
                raise self.refuse[name].pop(0)
            answer = self._operations[name](**given)
            self._check(answer, shape.output_shape, name)
            return answer

        return call

    def _check(self, value: dict[str, Any], shape: Any, name: str) -> None:
        if shape is not None:
            found = ParamValidator().validate(value, shape)
            assert not found.has_errors(), f"{name}: {found.generate_report()}"

    def called(self, *names: str) -> list[str]:
        """The calls of these operations, in their order; of all but the looking ones without names."""
        looks = ("describe_", "list_", "get_")
        return [name for name, _ in self.calls if (name in names if names else not name.startswith(looks))]

    def close(self) -> None: ...


class Formation:
    """``scripts``: operation → what happens after it, a batch at each look at the stack. Without one all goes well."""

    def __init__(self, *happened: Happens, template: Any = None) -> None:
        self.status, self.reason, self.protected = "", "", False
        self.template = template or {"Resources": {}}
        self.events: list[dict[str, Any]] = []
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.scripts: dict[str, list[list[Happens]]] = {}
        #: What a change set is when it is looked at, status by status; the last stays.
        self.examined: list[dict[str, Any]] = [{"Status": "CREATE_COMPLETE", "Changes": []}]
        self.validation: list[dict[str, Any]] = []
        self._coming: deque[list[Happens]] = deque()
        self._number = itertools.count()
        operations = [name for name in dir(self) if name.startswith(VERBS)]
        self.client = Client("cloudformation", {name[1:]: getattr(self, name) for name in operations})
        self._now(happened)

    def site(self, **others: Client) -> Site:
        clients = {"cloudformation": self.client, **others}
        made = {name: Service(name, lambda one=one: one) for name, one in clients.items()}  # type: ignore[misc]
        return Site(
            clients=made,  # type: ignore[arg-type]
            config=Config(),
            account=ACCOUNT,
            region=REGION,
            caller=f"arn:aws:iam::{ACCOUNT}:user/an",
        )

    def comes(self, *batches: Sequence[Happens]) -> None:
        """What happens from now on, a batch at each look at the stack."""
        self._coming.extend(list(batch) for batch in batches)

    def _now(self, happened: Sequence[Happens]) -> None:
        for resource, kind, status, reason in happened:
            number = next(self._number)
            event = {
                "StackId": ID,
                "EventId": f"event-{number}",
                "StackName": STACK,
                "LogicalResourceId": resource or STACK,
                "PhysicalResourceId": ID if not resource else f"{STACK}-{resource.lower()}",
                "ResourceType": kind,
                "Timestamp": datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=number),
                "ResourceStatus": status,
            }
            self.events.insert(0, event | ({"ResourceStatusReason": reason} if reason else {}))
            if not resource:
                self.status, self.reason = status, reason

    def _begin(self, operation: str, *well: Sequence[Happens]) -> None:
        self._coming.clear()
        self.comes(*self.scripts.get(operation, [list(batch) for batch in well]))

    # --- its operations -----------------------------------------------------------------------------------------------

    def _describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self._coming:
            self._now(self._coming.popleft())
        if not self.status or (self.status == "DELETE_COMPLETE" and StackName != ID):
            raise error("ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks")
        found = {
            "StackName": STACK,
            "StackId": ID,
            "StackStatus": self.status,
            "CreationTime": datetime(2026, 11, 23, tzinfo=UTC),
            "EnableTerminationProtection": self.protected,
            "Outputs": [{"OutputKey": "Bucket", "OutputValue": "some-bucket"}],
        }
        return {"Stacks": [found | ({"StackStatusReason": self.reason} if self.reason else {})]}

    def _describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        """Three a page."""
        begin = int(NextToken)
        more = {"NextToken": str(begin + 3)} if begin + 3 < len(self.events) else {}
        return {"StackEvents": self.events[begin : begin + 3], **more}

    def _get_template(self, StackName: str, TemplateStage: str) -> dict[str, Any]:
        return {"TemplateBody": json.dumps(self.template)}

    def _create_change_set(self, **given: Any) -> dict[str, Any]:
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{given['ChangeSetName']}/0123"
        self.change_sets[arn] = given
        if given["ChangeSetType"] == "CREATE":
            self._now([stack("REVIEW_IN_PROGRESS")])
        return {"Id": arn, "StackId": ID}

    def _describe_change_set(self, ChangeSetName: str, NextToken: str = "") -> dict[str, Any]:
        if ChangeSetName not in self.change_sets:
            raise error("ChangeSetNotFound", f"ChangeSet [{ChangeSetName}] does not exist", "DescribeChangeSet")
        return self.examined.pop(0) if len(self.examined) > 1 else self.examined[0]

    def _list_change_sets(self, StackName: str) -> dict[str, Any]:
        if not self.status:
            raise error("ValidationError", f"Stack [{StackName}] does not exist", "ListChangeSets")
        named = [{"ChangeSetId": arn, "ChangeSetName": one["ChangeSetName"]} for arn, one in self.change_sets.items()]
        return {"Summaries": named}

    def _execute_change_set(self, ChangeSetName: str, **_: Any) -> dict[str, Any]:
        verb = "CREATE" if self.change_sets.pop(ChangeSetName)["ChangeSetType"] == "CREATE" else "UPDATE"
        self._begin("execute_change_set", [stack(f"{verb}_IN_PROGRESS")], [stack(f"{verb}_COMPLETE")])
        return {}

    def _delete_change_set(self, ChangeSetName: str, StackName: str = "") -> dict[str, Any]:
        for arn in [arn for arn, one in self.change_sets.items() if ChangeSetName in (arn, one["ChangeSetName"])]:
            del self.change_sets[arn]
        return {}

    def _delete_stack(self, StackName: str) -> dict[str, Any]:
        self._begin("delete_stack", [stack("DELETE_IN_PROGRESS")], [stack("DELETE_COMPLETE")])
        return {}

    def _continue_update_rollback(self, StackName: str) -> dict[str, Any]:
        self._begin(
            "continue_update_rollback", [stack("UPDATE_ROLLBACK_IN_PROGRESS")], [stack("UPDATE_ROLLBACK_COMPLETE")]
        )
        return {}

    def _update_termination_protection(self, StackName: str, EnableTerminationProtection: bool) -> dict[str, Any]:
        self.protected = EnableTerminationProtection
        return {"StackId": ID}

    def _describe_events(self, **_: Any) -> dict[str, Any]:
        return {"OperationEvents": self.validation}


class Waits:
    """``ports.Clock`` whose sleeping takes no time. Waiting for more than an hour is waiting for ever."""

    def __init__(self, *, at_sleep: Callable[[], None] = lambda: None) -> None:
        self.slept = 0.0
        self._at_sleep = at_sleep

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(seconds=self.slept)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        assert self.slept < 3600, "this waits for ever"
        self._at_sleep()
