"""What was changed by hand: how things are, held against the template in force.

CloudFormation is asked first. It never looks at a function's code, nor always at the definition of the state machine,
and nothing outside the stack: termination protection, a schedule that a destroy which was broken off left turned off,
packages. Those are looked at here.

A deploy does not mend drift: CloudFormation compares templates, so a resource that the new one leaves alone stays as it
is. ``revert`` asks for a change set that is held against what is there (``REVERT_DRIFT``, since November 2025).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import msgspec

from mangavid.aws.deploy import difference, failure, fast, releases
from mangavid.aws.deploy.code import CodeBucket
from mangavid.aws.deploy.destroy import schedule
from mangavid.aws.deploy.difference import Property
from mangavid.aws.deploy.fast import Swapped
from mangavid.aws.deploy.progress import Step, Tell, silent
from mangavid.aws.deploy.site import Site
from mangavid.aws.deploy.stack import GOOD, STILLBORN, Stack, State
from mangavid.aws.failures import not_there
from mangavid.aws.session import Refused
from mangavid.aws.stack import template as stack_template
from mangavid.aws.stack.functions import SIZES
from mangavid.aws.stack.machine import MACHINE
from mangavid.aws.stack.parts import Json, logical
from mangavid.errors import DeployFailed, MangavidError, SourceNotFound, UpstreamUnavailable
from mangavid.ports import Clock

_SCHEDULE: Final = "Schedule"
_PACKAGE = re.compile(r"code/[\w.-]+?-[0-9a-f]{64}\.zip")
_AT_ONCE = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs. ``name`` is its name on AWS; in ``properties`` before is the template's, after what is.

    ``fast``: ``deploy --fast`` did it. ``mend``: what puts it back, ``deploy`` by itself or ``revert``.
    """

    id: str
    type: str
    name: str
    what: Literal["changed", "deleted"] = "changed"
    properties: tuple[Property, ...] = ()
    fast: bool = False
    mend: Literal["deploy", "revert"] = "revert"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """``unknown``: ids of resources that CloudFormation could not look at, each with why."""

    stack: str
    drifts: tuple[Drift, ...] = ()
    unknown: dict[str, str] = {}


class Drifts:
    def __init__(self, site: Site, clock: Clock, tell: Tell = silent) -> None:
        self._site = site
        self._clock = clock
        self._tell = tell
        self._aws = site.clients
        self._code = CodeBucket(site)
        self._stack = Stack(site, clock)

    def look(self) -> Found:
        """Changes nothing.

        Raises SourceNotFound where nothing stands there, UpstreamUnavailable where a change is under way or this
        endpoint has no drift detection, DeployFailed.
        """
        state = self._standing()
        template = self._stack.template()
        with ThreadPoolExecutor(1, thread_name_prefix="drift") as pool:
            own = pool.submit(lambda: list(self._own(state, template)))
            told, unknown = self._told(state)
            drifts = tuple(_merged(told, own.result()))
        return Found(stack=self._site.stack, drifts=drifts, unknown=unknown)

    def _standing(self) -> State:
        state = self._stack.state()
        if not state.status or state.status in STILLBORN:
            raise SourceNotFound(
                f"nothing is deployed as {self._site.stack} in {self._site.region}", hint="mangavid deploy"
            )
        if state.busy:
            raise UpstreamUnavailable(
                f"{self._site.stack} is just being changed ({state.status})", hint="mangavid deploy follows that"
            )
        return state

    # --- what CloudFormation sees ------------------------------------------------------------------------------------

    def _told(self, state: State) -> tuple[list[Drift], dict[str, str]]:
        """What differs, and what could not be looked at."""
        formation = self._aws["cloudformation"]
        try:
            detection = str(
                formation.call("detect_stack_drift", expect=("ValidationError",), StackName=state.id)[
                    "StackDriftDetectionId"
                ]
            )
        except Refused as refused:
            raise DeployFailed(f"AWS looks for no drift: {refused.message}", hint="mangavid deploy mends it") from None
        except MangavidError as problem:
            if not_there(problem):
                raise UpstreamUnavailable(
                    "drift detection is not available here: the endpoint has no DetectStackDrift",
                    hint="is AWS_ENDPOINT_URL what it should be?",
                ) from problem
            raise
        ended = self._detected(detection)
        told: list[Drift] = []
        unknown: dict[str, str] = {}
        for one in formation.pages(
            "describe_stack_resource_drifts",
            "StackResourceDrifts",
            ask="NextToken",
            told="NextToken",
            StackName=state.id,
        ):
            if one["StackResourceDriftStatus"] in ("MODIFIED", "DELETED"):
                told.append(_drift(one))
            elif one["StackResourceDriftStatus"] == "UNKNOWN":
                unknown[one["LogicalResourceId"]] = str(one.get("DriftStatusReason", ""))
        if ended["DetectionStatus"] == "DETECTION_FAILED" and not unknown:
            unknown[self._site.stack] = str(ended.get("DetectionStatusReason", "no reason is given"))
        return told, unknown

    def _detected(self, detection: str) -> Mapping[str, Any]:
        self._tell(Step(what="stack", name=self._site.stack, status="DETECTION_IN_PROGRESS"))
        pause = _FIRST_PAUSE
        while True:
            found = self._aws["cloudformation"].call(
                "describe_stack_drift_detection_status", StackDriftDetectionId=detection
            )
            if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                self._tell(Step(what="stack", name=self._site.stack, status=found["DetectionStatus"]))
                return found
            self._clock.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    # --- what it does not --------------------------------------------------------------------------------------------

    def _own(self, state: State, template: Json) -> Iterator[Drift]:
        if not state.protected:
            yield Drift(
                id=self._site.stack,
                type=failure.STACK,
                name=self._site.stack,
                properties=(Property(path="EnableTerminationProtection", before=True, after=False),),
                mend="deploy",
            )
        there = self._code.exists()
        swapped = fast.read(self._code) if there else Swapped()
        kept = set(self._code.keys("code")) if there else set()
        missing = sorted(set(_PACKAGE.findall(stack_template.text(template))) - kept)
        if missing:
            yield Drift(
                id="CodeBucket",
                type="AWS::S3::Bucket",
                name=self._code.name,
                what="changed" if there else "deleted",
                properties=tuple(Property(path=key, before="there") for key in missing),
                mend="deploy",
            )
        names = [name for name in SIZES if f"{logical(name)}Function" in template["Resources"]]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="drift") as pool:
            for one in pool.map(lambda name: self._function(name, template, swapped), names):
                yield from one
        yield from self._definition(template, swapped)
        if _SCHEDULE in template["Resources"] and schedule(self._site) == "DISABLED":
            yield Drift(
                id=_SCHEDULE,
                type="AWS::Scheduler::Schedule",
                name=f"{self._site.names.prefix}-run",
                properties=(Property(path="State", before="ENABLED", after="DISABLED"),),
            )

    def _function(self, name: str, template: Json, swapped: Swapped) -> list[Drift]:
        called, key = self._site.names.function(name), fast.code_key(template, name)
        about: Json = {"id": f"{logical(name)}Function", "type": "AWS::Lambda::Function", "name": called}
        try:
            found = self._aws["lambda"].call(
                "get_function_configuration", expect=("ResourceNotFoundException",), FunctionName=called
            )
        except Refused:
            return [Drift(**about, what="deleted")]
        live = base64.b64decode(found["CodeSha256"]).hex()
        if live in key:
            return []
        ours = live in swapped.functions.get(name, "")
        after = swapped.functions[name] if ours else f"other code, SHA-256 {live}"
        code = Property(path="Code.S3Key", before=key, after=after)
        return [Drift(**about, properties=(code,), fast=ours, mend="deploy" if ours else "revert")]

    def _definition(self, template: Json, swapped: Swapped) -> Iterator[Drift]:
        site = self._site
        arn = f"arn:aws:states:{site.region}:{site.account}:stateMachine:{site.names.machine}"
        kind = "AWS::StepFunctions::StateMachine"
        try:
            live = self._aws["stepfunctions"].call(
                "describe_state_machine", expect=("StateMachineDoesNotExist",), stateMachineArn=arn
            )["definition"]
        except Refused:
            yield Drift(id=MACHINE, type=kind, name=site.names.machine, what="deleted")
            return
        both = [
            {"Resources": {MACHINE: {"Type": kind, "Properties": {"DefinitionString": text}}}}
            for text in (fast.definition(site, template), live)
        ]
        for one in difference.changes(*both):
            # What it holds is known only to be another than the template's: by hand or not is told by who swapped.
            yield Drift(
                id=MACHINE,
                type=kind,
                name=site.names.machine,
                properties=one.properties,
                fast=swapped.definition,
                mend="deploy" if swapped.definition else "revert",
            )

    # --- putting back ------------------------------------------------------------------------------------------------

    def revert(self, found: Found) -> Found:
        """Put back what the template in force says, and look again: what AWS did not put back is in the answer.

        Raises DeployFailed where AWS can't, or would have to delete a resource and make it anew for that.
        """
        state, template = self._standing(), self._stack.template()
        if any(one.mend == "revert" for one in found.drifts):
            self._change(template, state)
        if not state.protected:
            self._stack.protect(True)
        if schedule(self._site) == "DISABLED" and _SCHEDULE in template["Resources"]:
            schedule(self._site, "ENABLED")
        if self._code.exists():
            there = self._code.keys("code")
            every = {name: key for name in SIZES if (key := fast.code_key(template, name)) in there}
            swapped = Swapped(functions=every, definition=True)
            fast.restore(self._site, self._clock, self._code, swapped, template, self._tell)
        return self.look()

    def _change(self, template: Json, state: State) -> None:
        text = stack_template.text(template)
        key = releases.template_key(text)
        self._code.put_once(key, text.encode())
        change = self._stack.propose(self._code.url(key), create=False, importing=False, reverting=True)
        if change is None:
            return
        anew = sorted(id for id, told in change.told.items() if told.replacement == "True")
        if anew:
            self._stack.discard(change)
            raise DeployFailed(
                f"to put this back AWS would delete and make anew: {', '.join(anew)}; nothing was changed",
                hint="change it back by hand: mangavid drift shows to what",
            )
        seen = self._stack.execute(change)
        ended = self._stack.follow(state, self._tell, since=seen)
        if ended.status not in GOOD:
            events = list(self._stack.events(state.id, since=seen))
            raise failure.failed(self._site, ended.status, ended.reason, events)


def _drift(told: Mapping[str, Any]) -> Drift:
    return Drift(
        id=told["LogicalResourceId"],
        type=told["ResourceType"],
        name=told.get("PhysicalResourceId", ""),
        what="deleted" if told["StackResourceDriftStatus"] == "DELETED" else "changed",
        properties=tuple(
            Property(
                path=one["PropertyPath"].strip("/").replace("/", "."),
                before=None if one["DifferenceType"] == "ADD" else _value(one["ExpectedValue"]),
                after=None if one["DifferenceType"] == "REMOVE" else _value(one["ActualValue"]),
            )
            for one in told.get("PropertyDifferences", ())
        ),
    )


def _value(text: str) -> Any:
    """AWS writes values as JSON, a text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _merged(told: Iterable[Drift], own: Iterable[Drift]) -> Iterator[Drift]:
    """What both saw once, with CloudFormation's words first."""
    by_id = {one.id: one for one in told}
    for one in own:
        known = by_id.get(one.id)
        if known is None:
            by_id[one.id] = one
        else:
            roots = {each.path.partition(".")[0] for each in known.properties}
            more = tuple(each for each in one.properties if each.path.partition(".")[0] not in roots)
            by_id[one.id] = msgspec.structs.replace(known, properties=known.properties + more, fast=False)
    yield from (by_id[id] for id in sorted(by_id))
