"""Pieces that every part of the template is made of: intrinsic functions, ARNs, IAM statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]
#: Text, or an intrinsic function that CloudFormation makes text of.
Value = str | Json

REGION: Final[Json] = {"Ref": "AWS::Region"}
ACCOUNT: Final[Json] = {"Ref": "AWS::AccountId"}

#: Actions for which AWS knows no narrower resource than ``*``, each with what bounds it instead. ``allow_any`` gives no
#: other.
ANY_RESOURCE: Final = {
    "ec2:DescribeInstances": "EC2's Describe calls have no resources; bounded to the region",
    "states:SendTaskSuccess": "has no resource: the token is the capability",
    "states:SendTaskFailure": "has no resource: the token is the capability",
    "states:SendTaskHeartbeat": "has no resource: the token is the capability",
    "xray:PutTraceSegments": "X-Ray's segments have no resource",
    "xray:PutTelemetryRecords": "X-Ray's telemetry has no resource",
    "xray:GetSamplingRules": "X-Ray answers with all rules of the account",
    "xray:GetSamplingTargets": "X-Ray answers with all rules of the account",
    "logs:CreateLogDelivery": "Step Functions delivers its logs through these; they have no resources",
    "logs:GetLogDelivery": "see logs:CreateLogDelivery",
    "logs:UpdateLogDelivery": "see logs:CreateLogDelivery",
    "logs:DeleteLogDelivery": "see logs:CreateLogDelivery",
    "logs:ListLogDeliveries": "see logs:CreateLogDelivery",
    "logs:PutResourcePolicy": "see logs:CreateLogDelivery",
    "logs:DescribeResourcePolicies": "see logs:CreateLogDelivery",
    "logs:DescribeLogGroups": "see logs:CreateLogDelivery",
}


def sub(text: str, **values: Value) -> Json:
    """``text`` with ``${…}`` filled in: by resources, pseudo parameters, and ``values`` (text right here)."""
    for name, value in values.items():
        if isinstance(value, str):
            text = text.replace(f"${{{name}}}", value)
    left: Json = {name: value for name, value in values.items() if not isinstance(value, str)}
    return {"Fn::Sub": [text, left]} if left else {"Fn::Sub": text}


def ref(resource: str) -> Json:
    return {"Ref": resource}


def att(resource: str, attribute: str = "Arn") -> Json:
    return {"Fn::GetAtt": [resource, attribute]}


def arn(service: str, resource: str) -> Json:
    """The ARN of something in this account and region."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")


def logical(name: str) -> str:
    """``check-quota`` → ``CheckQuota``: the way names are written inside a template."""
    return "".join(word.capitalize() for word in name.split("-"))


def allow(
    sid: str,
    actions: str | Sequence[str],
    resources: Value | Sequence[Value],
    condition: Mapping[str, Any] | None = None,
) -> Json:
    """A statement of an identity's policy. Actions in full, no ``*`` among the resources: see ``allow_any``."""
    named = [actions] if isinstance(actions, str) else list(actions)
    on = list(resources) if isinstance(resources, list | tuple) else [resources]
    assert "*" not in on, f"{sid}: any resource"
    assert not any("*" in action for action in named), f"{sid}: any action"
    statement: Json = {"Sid": sid, "Effect": "Allow", "Action": named, "Resource": on}
    return statement | ({"Condition": dict(condition)} if condition else {})


def allow_any(sid: str, *actions: str, condition: Mapping[str, Any] | None = None) -> Json:
    """A statement on every resource, for actions that ``ANY_RESOURCE`` gives the reason of."""
    assert set(actions) <= set(ANY_RESOURCE), f"{sid}: {set(actions) - set(ANY_RESOURCE)}"
    statement: Json = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return statement | ({"Condition": dict(condition)} if condition else {})


def policy(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str, source: Sequence[Value] = ()) -> Json:
    """Who may take a role: a service, and only on behalf of ``source`` (ARNs of this account) where it says for whom.

    Lambda and EC2 don't say. There it is iam:PassRole that keeps a role with those it is for.
    """
    condition: Json = {}
    if source:
        condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": list(source)}}
    statement: Json = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy(statement | ({"Condition": condition} if condition else {}))


def retained(resource: Json) -> Json:
    """A resource that outlives the stack and its own replacement."""
    return {**resource, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def passing(resource: Json) -> Json:
    """A resource whose content goes with the stack."""
    return {**resource, "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}


def log_group(name: str, days: int, key: str) -> Json:
    """A log group, encrypted with the key of this logical id."""
    properties: Json = {"LogGroupName": name, "RetentionInDays": days, "KmsKeyId": att(key)}
    return passing({"Type": "AWS::Logs::LogGroup", "Properties": properties})


def skipping(resource: Json, **reasons: str) -> Json:
    """A resource with checks of checkov that do not apply to it, each with its reason."""
    skips = [{"id": check, "comment": reason} for check, reason in sorted(reasons.items())]
    return {**resource, "Metadata": {"checkov": {"skip": skips}}}
