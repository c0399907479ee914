"""One CloudFormation stack: how it stands, and changing it by change sets that are followed to their end.

A change goes on in AWS when who asked for it is gone. So whoever comes next follows it first (``settle``), and mends
what a change left that can't be gone on from.
"""

from __future__ import annotations

import json
import re
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
from mangavid.errors import AuthError, DeployFailed, Interrupted, Locked, MangavidError
from mangavid.ports import Clock

CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM"]
#: Change sets of ours begin so: those that were left are deleted.
_MARK: Final = "mangavid-"
#: A first create that came to nothing, in its forms: nothing of it is worth keeping.
STILLBORN: Final = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
#: A stack is told as it was before for a moment after a change of it has begun: seconds until that is not waited for.
_BEGINS_WITHIN = 30.0
#: Seconds between a stack's being proposed and its being begun, at most; later it was left so.
_PROPOSED_FOR = 10.0
#: How a stack stands while a change of it begins; what follows from one (a rollback, a cleanup) is no beginning.
_BEGINNINGS: Final = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
_OVERTAKEN: Final = ("ChangeSetNotFound", "InvalidChangeSetStatus", "AlreadyExistsException")
#: From the mildest on: whether changing a property makes the resource anew.
_RECREATION: Final = ("", "Never", "Conditionally", "Always")
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

    @property
    def stands(self) -> bool:
        """Whether it is there, and not just what is left of making or deleting it."""
        return self.status not in ("", "DELETE_COMPLETE", *STILLBORN)

    @property
    def changeable(self) -> bool:
        """Whether a change of it may begin."""
        return self.stands and not self.busy and self.status != "UPDATE_ROLLBACK_FAILED"


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is ready to be executed. ``told``: id → what AWS says of it; ``stack``: the id of its stack."""

    arn: str
    stack: str
    told: dict[str, Told]
    create: bool
    #: Whether it takes over what an earlier stack left.
    importing: bool = False


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
        state = self.rest(tell)
        if state.status == "UPDATE_ROLLBACK_FAILED":
            tell(Step(what="note", detail="an earlier change could not be taken back: AWS is asked to try again"))
            seen = self._newest(state.id)
            try:
                self._aws.call("continue_update_rollback", expect=("ValidationError",), StackName=self.name)
            except Refused as refused:
                raise self._refusal(refused) from refused
            state = self.follow(state, tell, since=seen)
            if state.status == "UPDATE_ROLLBACK_FAILED":
                raise failure.failed(self._site, state.status, state.reason, list(self.events(state.id, since=seen)))
        state = self._given_time(state, tell)
        if state.status in STILLBORN:
            tell(Step(what="note", detail=f"what an earlier deploy left half-made ({state.status}) is taken away"))
            state = self.delete(state, tell)
        return state if state.status != "DELETE_COMPLETE" else State()

    def _given_time(self, state: State, tell: Tell) -> State:
        """How it stands once whoever proposed it, if they still are there, had time to begin: that is followed."""
        waited = 0.0
        while state.status == "REVIEW_IN_PROGRESS" and waited < _PROPOSED_FOR and self._proposed():
            if not waited:
                what = f"another deploy may be about to make it ({state.status}): it is given {_PROPOSED_FOR:.0f} s"
                tell(Step(what="note", detail=what))
            self._clock.sleep(_LONGEST_PAUSE)
            waited += _LONGEST_PAUSE
            state = self.rest(tell)
        return state

    def rest(self, tell: Tell) -> State:
        """How it stands once no change is under way: one that is, is followed to its end."""
        state = self.state()
        if state.busy:
            tell(Step(what="note", detail=f"a change is under way ({state.status}): it is followed to its end first"))
            state = self.follow(state, tell, since=self._before(state))
        return state

    def propose(self, url: str, *, create: bool, importing: bool, reverting: bool = False) -> ChangeSet | None:
        """A change set for the template at ``url``; None where it changes nothing.

        ``importing``: the table and the bucket that an earlier stack left are taken over. ``reverting``: it is held
        against what is really there, not against the template before. Raises DeployFailed where AWS refuses the
        template, Locked where another change is under way; then nothing of it is left.
        """
        with suppress(MangavidError):
            self.discard_left()
        name = f"{_MARK}{secrets.token_hex(6)}"
        more: dict[str, Any] = {"OnStackFailure": "DELETE"} if create else {}
        if importing:
            # Its validation takes the names of what is imported for names that are taken.
            more |= {"ImportExistingResources": True, "DisableValidation": True}
        if reverting:
            more |= {"DeploymentMode": "REVERT_DRIFT"}
        try:
            try:
                answer = self._aws.call(
                    "create_change_set",
                    expect=(
                        "ValidationError",
                        "AlreadyExistsException",
                        "InsufficientCapabilitiesException",
                        "LimitExceededException",
                    ),
                    StackName=self.name,
                    ChangeSetName=name,
                    ChangeSetType="CREATE" if create else "UPDATE",
                    TemplateURL=url,
                    Capabilities=CAPABILITIES,
                    **more,
                )
                faults.point("deploy.proposed")
                change = self._examined(str(answer["Id"]), str(answer["StackId"]), create=create, importing=importing)
            except Refused as refused:
                # Where another was first, the stack that AWS made up is theirs.
                create = create and refused.code not in _OVERTAKEN
                raise self._refusal(refused) from refused
        except BaseException:  # Ctrl-C among them
            with suppress(MangavidError):
                self._withdraw(name, create=create)
            raise
        if change is None:
            self._withdraw(name, create=create)
        return change

    def _examined(self, arn: str, stack: str, *, create: bool, importing: bool) -> ChangeSet | None:
        """Raises Refused where it is taken away meanwhile."""
        told: dict[str, Told] = {}
        found = self._ready(arn)
        if found["Status"] != "CREATE_COMPLETE":
            reason = str(found.get("StatusReason", ""))
            if any(words in reason for words in _NO_CHANGES):
                return None
            raise failure.refused(reason or str(found["Status"]), self._validation(arn, stack))
        while True:
            for one in found.get("Changes", ()):
                if resource := one.get("ResourceChange"):
                    told[resource["LogicalResourceId"]] = _told(resource)
            if not found.get("NextToken"):
                return ChangeSet(arn=arn, stack=stack, told=told, create=create, importing=importing)
            found = self._described(arn, NextToken=found["NextToken"])

    def _described(self, arn: str, **more: str) -> Mapping[str, Any]:
        return self._aws.call("describe_change_set", expect=_OVERTAKEN, ChangeSetName=arn, **more)

    def _ready(self, arn: str) -> Mapping[str, Any]:
        pause = _FIRST_PAUSE
        while True:
            found = self._described(arn)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return found
            self._clock.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _refusal(self, refused: Refused) -> MangavidError:
        """The error for a call that AWS refused: another was first, or it is the template that AWS does not take."""
        if under_way := re.search(r"is in (\w+_IN_PROGRESS)", refused.message):
            return Locked(
                f"another change of {self.name} is under way ({under_way[1]}); nothing was changed",
                hint="mangavid deploy follows it to its end first",
            )
        if refused.code in _OVERTAKEN or "already exists and cannot be created" in refused.message:
            said = " ".join(refused.message.split())
            return DeployFailed(
                f"{self.name} was changed by another meanwhile; nothing was changed by this ({said})",
                hint="mangavid deploy looks at it anew",
            )
        return failure.refused(refused.message)

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
        """Begin it. The last event there was before, for ``follow``; a create has none.

        Raises DeployFailed where another changed the stack since it was made, Locked where that is under way.
        """
        seen = "" if change.create else self._newest(change.stack)
        # Of a create that fails nothing is kept, not even what outlives the stack once it stands. Where that was there
        # before, its policy has the last word.
        more: dict[str, Any] = {"RetainExceptOnCreate": True} if change.create and not change.importing else {}
        try:
            self._aws.call(
                "execute_change_set", expect=(*_OVERTAKEN, "ValidationError"), ChangeSetName=change.arn, **more
            )
        except Refused as refused:
            if not self._is_begun(change, refused):
                with suppress(MangavidError):
                    self._withdraw(change.arn, create=False)  # another is at work on its stack
                raise self._refusal(refused) from refused
        except AuthError:
            with suppress(MangavidError):
                self.discard(change)
            raise
        faults.point("deploy.executed")
        return seen

    def _is_begun(self, change: ChangeSet, refused: Refused) -> bool:
        """Whether an earlier sending of the call that is refused had its effect: its answer was lost."""
        if not refused.retried or refused.code != "InvalidChangeSetStatus":
            return False
        try:
            return str(self._described(change.arn).get("ExecutionStatus")).startswith("EXECUTE_")
        except Refused:
            return False

    def discard(self, change: ChangeSet) -> None:
        """Take it away again, as it is not executed."""
        self._withdraw(change.arn, create=change.create)

    def _withdraw(self, change: str, *, create: bool) -> None:
        """By its name or ARN; with ``create`` also the stack that AWS made up for it."""
        where = {} if change.startswith("arn:") else {"StackName": self.name}
        with suppress(Refused):
            self._aws.call("delete_change_set", expect=_OVERTAKEN, ChangeSetName=change, **where)
        if create:
            state = self.state()
            if state.status == "REVIEW_IN_PROGRESS" and not self._proposed():
                self._aws.call("delete_stack", StackName=state.id)

    def discard_left(self) -> None:
        """Delete change sets that were made and not executed."""
        for one in self._proposed():
            if one["ChangeSetName"].startswith(_MARK):
                self._withdraw(one["ChangeSetId"], create=False)

    def _proposed(self) -> list[Mapping[str, Any]]:
        try:
            return list(
                self._aws.pages(
                    "list_change_sets",
                    "Summaries",
                    ask="NextToken",
                    told="NextToken",
                    expect=("ValidationError",),
                    StackName=self.name,
                )
            )
        except Refused:  # there is no stack
            return []

    def follow(self, state: State, tell: Tell, *, since: str = "") -> State:
        """Tell of each event of a change until the stack rests; how it stands then.

        ``since``: the last event that is not of this change. Raises Interrupted on Ctrl-C: the change goes on.
        """
        told: set[str] = set()
        begun, pause, waited = False, _FIRST_PAUSE, 0.0
        try:
            while True:
                known = begun
                now = self.state(state.id)
                news = [one for one in self.events(state.id, since=since) if one.id not in told]
                for event in news:
                    told.add(event.id)
                    tell(event.step(self.name))
                    begun = begun or (event.of(self.name) and event.status != "REVIEW_IN_PROGRESS")
                if now.status in ("", "DELETE_COMPLETE") or (
                    not now.busy and (known or (not begun and waited >= _BEGINS_WITHIN))
                ):
                    return now
                if known or not begun:
                    pause = _FIRST_PAUSE if news else min(_LONGEST_PAUSE, pause * 1.5)
                    self._clock.sleep(pause)
                    waited += pause
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped watching: AWS goes on with what was begun", hint="mangavid deploy follows it again"
            ) from None

    def events(self, id: str, *, since: str = "") -> Iterator[Event]:
        """Oldest first, those after the event ``since``."""
        found: list[Event] = []
        for event in self._events(id):
            if event.id == since:
                break
            found.append(event)
        yield from reversed(found)

    def _events(self, id: str) -> Iterator[Event]:
        """Newest first; none of a stack that another takes away meanwhile."""
        pages = self._aws.pages(
            "describe_stack_events",
            "StackEvents",
            ask="NextToken",
            told="NextToken",
            expect=("ValidationError",),
            StackName=id,
        )
        try:
            for one in pages:
                yield Event(
                    id=one["EventId"],
                    resource=one.get("LogicalResourceId", ""),
                    physical=one.get("PhysicalResourceId", ""),
                    type=one.get("ResourceType", ""),
                    status=one.get("ResourceStatus", ""),
                    reason=one.get("ResourceStatusReason", "") or "",
                    at=one["Timestamp"].timestamp() if one.get("Timestamp") else 0.0,
                )
        except Refused as refused:
            if "does not exist" not in refused.message:
                raise self._refusal(refused) from refused

    def _newest(self, id: str) -> str:
        return next((event.id for event in self._events(id)), "")

    def _before(self, state: State) -> str:
        """The last event before the change that is under way; empty where that is the first."""
        begun = False
        for event in self._events(state.id):
            if begun:
                return event.id
            begun = event.of(self.name) and event.status in _BEGINNINGS
        return ""

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
    properties: dict[str, str] = {}
    for one in resource.get("Details", ()):
        target = one.get("Target", {})
        if one.get("ChangeSource") == "DirectModification" and (name := target.get("Name")):
            # One property may be told of several times: by its parts, or by what its value is made of.
            both = properties.get(name, ""), target.get("RequiresRecreation", "")
            properties[name] = max(both, key=lambda one: _RECREATION.index(one) if one in _RECREATION else 0)
    return Told(
        type=resource.get("ResourceType", ""),
        replacement=resource.get("Replacement", "False"),
        properties=properties,
        kept=resource.get("PolicyAction") == "ReplaceAndRetain",
    )
