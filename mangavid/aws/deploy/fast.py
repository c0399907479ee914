"""``deploy --fast``: the code of functions and the definition of the state machine swapped in place, nothing else.

CloudFormation does not hear of it, so the bucket for code keeps what was swapped: the next full deploy puts its
template in force there too, where CloudFormation sees nothing to change.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from mangavid import faults
from mangavid.aws.deploy import difference, failure
from mangavid.aws.deploy.code import CodeBucket, encoded
from mangavid.aws.deploy.difference import Change
from mangavid.aws.deploy.progress import Step, Tell
from mangavid.aws.deploy.site import Site
from mangavid.aws.failures import not_there
from mangavid.aws.session import Refused
from mangavid.aws.stack.functions import SIZES
from mangavid.aws.stack.machine import MACHINE, renamed
from mangavid.aws.stack.parts import Json, logical
from mangavid.errors import DeployFailed, Locked, MangavidError
from mangavid.ports import Clock

_FILE: Final = "fast.json"
_AT_ONCE = 12
_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
#: How long another change of a function is waited for.
_CONFLICT_SECONDS = 60.0


class Swapped(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force and not in the stack's template. ``functions``: name without the prefix → key of its package."""

    functions: dict[str, str] = {}
    definition: bool = False

    def __bool__(self) -> bool:
        return bool(self.functions or self.definition)


def read(code: CodeBucket) -> Swapped:
    found = code.find(_FILE)
    return msgspec.json.decode(found, type=Swapped) if found else Swapped()


def write(code: CodeBucket, swapped: Swapped) -> None:
    if swapped:
        code.put(_FILE, encoded(swapped))
    else:
        code.delete(_FILE)


def sort_out(before: Json, after: Json) -> tuple[list[str], bool, list[Change]]:
    """Of what a full deploy would change: functions whose code can be swapped, whether the definition, and the rest."""
    by_id = {f"{logical(name)}Function": name for name in SIZES}
    functions: list[str] = []
    definition = False
    left: list[Change] = []
    for change in difference.changes(before, after):
        paths = {one.path for one in change.properties}
        if change.action == "change" and change.id in by_id and paths == {"Code.S3Key"}:
            functions.append(by_id[change.id])
        elif (
            change.action == "change"
            and change.id == MACHINE
            and all(path.startswith("DefinitionString") for path in paths)
        ):
            definition = True
        else:
            left.append(change)
    return functions, definition, left


def code_key(template: Json, function: str) -> str:
    """Where a function's package lies, by a template that was deployed."""
    return str(template["Resources"][f"{logical(function)}Function"]["Properties"]["Code"]["S3Key"])


def swap_functions(site: Site, clock: Clock, wanted: dict[str, str], tell: Tell) -> list[str]:
    """Give functions the packages of these keys, where they have not got them. Those that were changed.

    Raises DeployFailed naming the function that did not take it.
    """

    def one(item: tuple[str, str]) -> str | None:
        function, key = item
        return function if _give(site, clock, function, key) else None

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="swap") as pool:
        given = [name for name in pool.map(one, sorted(wanted.items())) if name is not None]
    # All take it at the same time: when the first has it, a look at each of the others is most often enough.
    for function in given:
        _taken(site, clock, function, tell)
    return given


def _give(site: Site, clock: Clock, function: str, key: str) -> bool:
    functions, name = site.clients["lambda"], site.names.function(function)
    wanted = base64.b64encode(bytes.fromhex(key.rpartition("-")[2].removesuffix(".zip"))).decode()
    if functions.call("get_function_configuration", FunctionName=name)["CodeSha256"] == wanted:
        return False
    pause, waited = _PAUSE, 0.0
    while True:
        try:
            functions.call(
                "update_function_code",
                expect=("ResourceConflictException",),
                FunctionName=name,
                S3Bucket=site.code,
                S3Key=key,
            )
            break
        except Refused as refused:  # another change of it is under way
            if waited > _CONFLICT_SECONDS:
                raise Locked(f"{name}: {refused.message}", hint="try again when it has its change") from refused
        clock.sleep(pause)
        waited += pause
        pause = min(_LONGEST_PAUSE, pause * 1.5)
    faults.point("deploy.swapped", function)
    return True


def _taken(site: Site, clock: Clock, function: str, tell: Tell) -> None:
    functions, name, pause = site.clients["lambda"], site.names.function(function), _PAUSE
    while True:
        now = functions.call("get_function_configuration", FunctionName=name)
        status = now.get("LastUpdateStatus", "Successful")
        if status == "Successful":
            tell(Step(what="swap", name=name, status="swapped"))
            return
        if status == "Failed":
            raise DeployFailed(
                f"{name} did not take its new code: {now.get('LastUpdateStatusReason', 'no reason is given')}",
                hint="mangavid deploy puts back what is right",
            )
        clock.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.15)  # a call costs little: it is seen within a seventh of what it takes


def definition(site: Site, template: Json) -> str:
    """The state machine's definition as it stands on AWS, filled in."""
    sub = template["Resources"][MACHINE]["Properties"]["DefinitionString"]
    text = str(sub["Fn::Sub"] if isinstance(sub, dict) else sub) or renamed(site.names.prefix)
    return text.replace("${AWS::Region}", site.region).replace("${AWS::AccountId}", site.account)


def check_definition(site: Site, template: Json) -> None:
    """Raises DeployFailed where Step Functions would refuse it; an endpoint that can't tell is taken for a yes."""
    try:
        found = site.clients["stepfunctions"].call(
            "validate_state_machine_definition", definition=definition(site, template)
        )
    except MangavidError as problem:
        if not not_there(problem):
            raise
        return
    wrong = [one for one in found.get("diagnostics", ()) if one.get("severity") == "ERROR"]
    if wrong:
        raise failure.refused("; ".join(f"{one.get('location', '')}: {one.get('message', '')}" for one in wrong))


def swap_definition(site: Site, template: Json, tell: Tell) -> bool:
    """Give the state machine a template's definition; whether it had another."""
    states = site.clients["stepfunctions"]
    arn = f"arn:aws:states:{site.region}:{site.account}:stateMachine:{site.names.machine}"
    text = definition(site, template)
    if states.call("describe_state_machine", stateMachineArn=arn)["definition"] == text:
        return False
    states.call("update_state_machine", stateMachineArn=arn, definition=text)
    faults.point("deploy.swapped", site.names.machine)
    tell(Step(what="swap", name=site.names.machine, status="swapped"))
    return True


def restore(site: Site, clock: Clock, code: CodeBucket, swapped: Swapped, template: Json, tell: Tell) -> list[str]:
    """After a full deploy of ``template``: what was swapped before gets its code and definition. What was put back."""
    known = [name for name in swapped.functions if f"{logical(name)}Function" in template["Resources"]]
    names = swap_functions(site, clock, {name: code_key(template, name) for name in known}, tell)
    if swapped.definition and swap_definition(site, template, tell):
        names.append(site.names.machine)
    write(code, Swapped())
    return names
