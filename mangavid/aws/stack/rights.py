"""Roles, made from ``mangavid.aws.permissions``: a role allows the calls that its code makes, and what AWS does for it.

What is added here is no call of the code's: a function's logs and traces, looking up the image a machine starts from,
the machine's own package, and the reaper's dead letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mangavid.aws.names import PREFIX_TAG, ROLE_TAG, Names
from mangavid.aws.permissions import PERMISSIONS
from mangavid.aws.stack import launching
from mangavid.aws.stack.parts import REGION, Json, Value, allow, allow_any, arn, att, logical, policy, sub
from mangavid.aws.stack.storage import BUCKET, KEY, TABLE
from mangavid.config import Aws

#: Actions on these bounds (what stands behind the kind, say ``JOB#``) of one kind, as statements.
_Making = Callable[[Aws, str, Sequence[str], Sequence[str]], list[Json]]


def role(aws: Aws, name: str, statements: Sequence[Json], *, by: Json) -> dict[str, Json]:
    """The role ``<Name>Role``. Its name holds the region, since roles are the whole account's."""
    return {
        f"{logical(name)}Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": sub(f"{Names(aws.prefix).function(name)}-${{AWS::Region}}"),
                "AssumeRolePolicyDocument": by,
                "Policies": [{"PolicyName": "own", "PolicyDocument": policy(*statements)}],
            },
        }
    }


def made_by(aws: Aws, name: str) -> list[Json]:
    """Statements for the calls of a function or a machine, those with the same bounds together."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for action, resources in PERMISSIONS[name].items():
        bounds: dict[str, list[str]] = {}
        for resource in resources:
            kind, _, bound = resource.partition(":")
            bounds.setdefault(kind, []).append(bound)
        for kind, those in bounds.items():
            together.setdefault((kind, tuple(those)), []).append(action)
    statements: list[Json] = []
    for number, ((kind, bound_to), called) in enumerate(together.items()):
        statements += _MAKERS[kind](aws, f"{kind.capitalize()}{number}", called, bound_to)
    return statements


def dead_letters(queue: str) -> list[Json]:
    """What sending to the queue of this logical id takes, encrypted as it is."""
    through = {"StringEquals": {"kms:ViaService": sub("sqs.${AWS::Region}.amazonaws.com")}}
    return [
        allow("DeadLetters", "sqs:SendMessage", att(queue)),
        allow("DeadLettersKey", ["kms:Decrypt", "kms:GenerateDataKey"], att(KEY), through),
    ]


def _table(_aws: Aws, sid: str, actions: Sequence[str], keys: Sequence[str]) -> list[Json]:
    condition = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{key}*" for key in keys]},
        # ForAllValues alone also holds where no key is asked for.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    return [allow(sid, actions, att(TABLE), condition)]


def _index(_aws: Aws, sid: str, actions: Sequence[str], names: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, [sub("${" + TABLE + ".Arn}/index/" + name) for name in names])]


def _object(_aws: Aws, sid: str, actions: Sequence[str], keys: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, [sub("${" + BUCKET + ".Arn}/" + key) for key in keys])]


def _bucket(_aws: Aws, sid: str, actions: Sequence[str], prefixes: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, att(BUCKET), {"StringLike": {"s3:prefix": list(prefixes)}})]


def _execution(aws: Aws, sid: str, actions: Sequence[str], _bounds: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, arn("states", f"execution:{Names(aws.prefix).machine}:*"))]


def _launch(aws: Aws, _sid: str, actions: Sequence[str], workers: Sequence[str]) -> list[Json]:
    assert set(actions) == launching.ACTIONS, actions
    return [statement for worker in workers for statement in launching.statements(aws, worker)]


def _instance(aws: Aws, sid: str, actions: Sequence[str], workers: Sequence[str]) -> list[Json]:
    ours = {f"aws:ResourceTag/{ROLE_TAG}": list(workers), f"aws:ResourceTag/{PREFIX_TAG}": aws.prefix}
    return [allow(sid, actions, arn("ec2", "instance/*"), {"StringEquals": ours})]


def _role(_aws: Aws, sid: str, actions: Sequence[str], workers: Sequence[str]) -> list[Json]:
    only_to = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    given: list[Value] = [att(f"{logical(worker)}Role") for worker in workers]
    return [allow(sid, actions, given, only_to)]


def _log(_aws: Aws, sid: str, actions: Sequence[str], workers: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, [att(f"{logical(worker)}Logs") for worker in workers])]


def _parameter(aws: Aws, sid: str, actions: Sequence[str], names: Sequence[str]) -> list[Json]:
    return [allow(sid, actions, [arn("ssm", f"parameter/{aws.prefix}/{name}") for name in names])]


def _any(_aws: Aws, sid: str, actions: Sequence[str], _bounds: Sequence[str]) -> list[Json]:
    here = {"StringEquals": {"ec2:Region": REGION}}
    kinds = {"Ec2": [one for one in actions if one.startswith("ec2:")]}
    kinds[""] = [one for one in actions if one not in kinds["Ec2"]]
    return [allow_any(sid + name, *those, condition=here if name else None) for name, those in kinds.items() if those]


_MAKERS: Mapping[str, _Making] = {
    "table": _table,
    "index": _index,
    "object": _object,
    "bucket": _bucket,
    "execution": _execution,
    "launch": _launch,
    "instance": _instance,
    "role": _role,
    "log": _log,
    "parameter": _parameter,
    "any": _any,
}
