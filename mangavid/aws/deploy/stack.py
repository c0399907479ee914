"""One CloudFormation stack: how it stands, and changing it by change sets that are followed to their end.

A change goes on in AWS when who asked for it is gone. So whoever comes next follows it first (``settle``), and mends
what a change left that can't be gone on from.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from mangavid import faults
from mangavid.aws.deploy import failure
from mangavid.aws.deploy.difference import Told
from mangavid.aws.deploy.failure import Event
from mangavid.aws.deploy.progress import Step, Tell
from mangavid.aws.deploy.site import Site
from mangavid.aws.failures import not_there
from mangavid.aws.session import Refused
from mangavid.aws.stack.parts import Json
from mangavid.errors import Interrupted, MangavidError
from mangavid.ports import Clock

CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM"]
#: Change sets of ours begin so: those that were left are deleted.
_MARK: Final = "mangavid-"
#: A first create that came to nothing, in its forms: nothing of it is worth keeping.
STILLBORN: Final = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How a stack stands. ``status`` is empty where there is none."""

    status: str = ""
    id: str = ""
    reason: str = ""
    outputs: dict[str, str] = {}
    protected: bool = False

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is ready to be executed. ``told``: id → what AWS says of it."""

    arn: str
    told: dict[str, Told]
    create: bool


class Stack:
    def __init__(self, site: Site, clock: Clock) -> None:
        self._aws = site.clients["cloudformation"]
        self._site = site
        self._clock = clock
        self.name = site.stack

    def state(self, id: str = "") -> State:
        """How it stands now; by ``id`` also one that was deleted."""
        try:
            answer = self._aws.call("describe_stacks", expect=("ValidationError",), StackName=id or self.name)
        except Refused as refused:
            if "does not exist" in refused.message:
                return State()
            raise MangavidError(f"cloudformation describe_stacks: {refused.message}") from refused
        found = answer["Stacks"][0]
        return State(
            status=found["StackStatus"],
            id=found["StackId"],
            reason=found.get("StackStatusReason", ""),
            outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
            protected=bool(found.get("EnableTerminationProtection")),
        )

    def template(self) -> Json:
        """The template in force, as it was given."""
        body = self._aws.call("get_template", StackName=self.name, TemplateStage="Original")["TemplateBody"]
        found: Json = json.loads(body) if isinstance(body, str) else body
        return found

    def settle(self, tell: Tell) -> State:
        """Bring it to where a change may begin. Raises DeployFailed where it can't be brought there."""
        state = self.state()
        if state.busy:
            tell(Step(what="note", detail=f"a change is under way ({state.status}): it is followed to its end first"))
            state = self.follow(state, tell, events=self._running(state))
        if state.status == "UPDATE_ROLLBACK_FAILED":
            tell(Step(what="note", detail="an earlier change could not be taken back: AWS is asked to try again"))
            seen = self._newest(state.id)
            self._aws.call("continue_update_rollback", StackName=self.name)
            state = self.follow(state, tell, since=seen)
            if state.status == "UPDATE_ROLLBACK_FAILED":
                raise failure.failed(self._site, state.status, state.reason, list(self.events(state.id, since=seen)))
        if state.status in STILLBORN:
            tell(Step(what="note", detail=f"what an earlier deploy left half-made ({state.status}) is taken away"))
            state = self.delete(state, tell)
        return state if state.status != "DELETE_COMPLETE" else State()

    def propose(self, url: str, *, create: bool, importing: bool) -> ChangeSet | None:
        """A change set for the template at ``url``; None where it changes nothing.

        ``importing``: the table and the bucket that an earlier stack left are taken over. Raises DeployFailed where
        AWS refuses the template.
        """
        with suppress(MangavidError):
            self.discard_left()
        more: dict[str, Any] = {"OnStackFailure": "DELETE"} if create else {}
        if importing:
            # Its validation takes the names of what is imported for names that are taken.
            more |= {"ImportExistingResources": True, "DisableValidation": True}
        try:
            answer = self._aws.call(
                "create_change_set",
                expect=("ValidationError",),
                StackName=self.name,
                ChangeSetName=f"{_MARK}{secrets.token_hex(6)}",
                ChangeSetType="CREATE" if create else "UPDATE",
                TemplateURL=url,
                Capabilities=CAPABILITIES,
                **more,
            )
        except Refused as refused:
            raise failure.refused(refused.message) from refused
        arn = str(answer["Id"])
        faults.point("deploy.proposed")
        told: dict[str, Told] = {}
        found = self._ready(arn)
        if found["Status"] == "FAILED":
            reason = str(found.get("StatusReason", ""))
            if any(words in reason for words in _NO_CHANGES):
                self.discard(arn)
                return None
            problem = failure.refused(reason, self._validation(arn, str(answer.get("StackId", ""))))
            self.discard(arn)
            raise problem
        while True:
            for one in found.get("Changes", ()):
                resource = one.get("ResourceChange", {})
                told[resource["LogicalResourceId"]] = _told(resource)
            if not found.get("NextToken"):
                return ChangeSet(arn=arn, told=told, create=create)
            found = self._aws.call("describe_change_set", ChangeSetName=arn, NextToken=found["NextToken"])

    def _ready(self, arn: str) -> Mapping[str, Any]:
        pause = _FIRST_PAUSE
        while True:
            found = self._aws.call("describe_change_set", ChangeSetName=arn)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return found
            self._clock.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _validation(self, arn: str, stack: str) -> Sequence[str]:
        """What AWS found wrong before anything was begun: it is told by this call alone."""
        try:
            events = list(
                self._aws.pages(
                    "describe_events", "OperationEvents", ask="NextToken", told="NextToken", ChangeSetName=arn
                )
            )
            if not events and stack:
                events = self._aws.call("describe_events", StackName=stack).get("OperationEvents", [])
        except MangavidError as problem:
            return () if not_there(problem) else (str(problem),)
        return [
            f"{one.get('LogicalResourceId') or one.get('ValidationPath', '')}: {reason}"
            for one in events
            if (reason := one.get("ValidationStatusReason"))
        ]

    def execute(self, change: ChangeSet) -> str:
        """Begin it. The last event there was before, for ``follow``; a create has none."""
        seen = "" if change.create else self._newest(self.name)
        # Of a create that fails nothing is kept, not even what outlives the stack once it stands.
        more: dict[str, Any] = {"RetainExceptOnCreate": True} if change.create else {}
        self._aws.call("execute_change_set", ChangeSetName=change.arn, **more)
        faults.point("deploy.executed")
        return seen

    def discard(self, arn: str) -> None:
        self._aws.call("delete_change_set", ChangeSetName=arn)

    def discard_left(self) -> None:
        """Delete change sets that were made and not executed."""
        try:
            left = list(
                self._aws.pages(
                    "list_change_sets",
                    "Summaries",
                    ask="NextToken",
                    told="NextToken",
                    expect=("ValidationError",),
                    StackName=self.name,
                )
            )
        except Refused:
            return
        for one in left:
            if one["ChangeSetName"].startswith(_MARK):
                self.discard(one["ChangeSetId"])

    def follow(
        self, state: State, tell: Tell, *, since: str = "", events: Sequence[str] = (), told: set[str] | None = None
    ) -> State:
        """Tell of each event until the stack rests; how it stands then.

        ``since``: the last event that is not of this change. ``events``: instead, ids of those of it there are.
        Raises Interrupted on Ctrl-C: the change goes on.
        """
        told = set() if told is None else told
        pause = _FIRST_PAUSE
        try:
            while True:
                now = self.state(state.id)
                news = [one for one in self.events(state.id, since=since) if one.id not in told]
                if events:
                    news = [one for one in news if one.id in events or told]
                for event in news:
                    told.add(event.id)
                    tell(event.step(self.name))
                if not now.busy:
                    return now
                pause = _FIRST_PAUSE if news else min(_LONGEST_PAUSE, pause * 1.5)
                self._clock.sleep(pause)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped watching: AWS goes on with what was begun", hint="mangavid deploy follows it again"
            ) from None

    def events(self, id: str, *, since: str = "") -> Iterator[Event]:
        """Oldest first, those after the event ``since``."""
        found: list[Event] = []
        for one in self._aws.pages(
            "describe_stack_events", "StackEvents", ask="NextToken", told="NextToken", StackName=id
        ):
            if one["EventId"] == since:
                break
            found.append(
                Event(
                    id=one["EventId"],
                    resource=one.get("LogicalResourceId", ""),
                    physical=one.get("PhysicalResourceId", ""),
                    type=one.get("ResourceType", ""),
                    status=one.get("ResourceStatus", ""),
                    reason=one.get("ResourceStatusReason", "") or "",
                )
            )
        yield from reversed(found)

    def _newest(self, id: str) -> str:
        answer = self._aws.call("describe_stack_events", StackName=id)
        return str(answer["StackEvents"][0]["EventId"]) if answer["StackEvents"] else ""

    def _running(self, state: State) -> list[str]:
        """Ids of the events of the change that is under way: those since the stack itself began."""
        found: list[str] = []
        for event in reversed(list(self.events(state.id))):
            found.append(event.id)
            begins = event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
            if begins and event.type == failure.STACK and event.resource == self.name:
                break
        return found

    def protect(self, wanted: bool) -> None:
        """Against being deleted by anything but ``mangavid destroy``."""
        self._aws.call("update_termination_protection", StackName=self.name, EnableTerminationProtection=wanted)

    def delete(self, state: State, tell: Tell) -> State:
        """Delete it, but for what is retained, and follow that to its end. Raises DeployFailed."""
        if state.protected:
            self.protect(False)
        seen = "" if state.status == "REVIEW_IN_PROGRESS" else self._newest(state.id)
        self._aws.call("delete_stack", StackName=state.id)
        faults.point("destroy.begun")
        state = self.follow(State(status="DELETE_IN_PROGRESS", id=state.id), tell, since=seen)
        if state.status not in ("", "DELETE_COMPLETE"):
            raise failure.failed(self._site, state.status, state.reason, list(self.events(state.id, since=seen)))
        return state


def _told(resource: Mapping[str, Any]) -> Told:
    details = [one["Target"] for one in resource.get("Details", ()) if one.get("ChangeSource") == "DirectModification"]
    return Told(
        type=resource.get("ResourceType", ""),
        replacement=resource.get("Replacement", "False"),
        properties={one["Name"]: one.get("RequiresRecreation", "") for one in details if one.get("Name")},
    )
