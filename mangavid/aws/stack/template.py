"""The whole template. ``make`` is pure: the same settings and code give the same text, on any machine."""

from __future__ import annotations

import json
from typing import Final

from mangavid.aws.names import Names
from mangavid.aws.stack import alarms, functions, launching, machine, schedule, storage, workers
from mangavid.aws.stack.code import CodeKeys
from mangavid.aws.stack.parts import REGION, Json, allow, allow_any, arn, att, ref, trust
from mangavid.aws.stack.rights import role
from mangavid.config import Config

#: A template of more bytes than this can't be sent: it is put into a bucket and its address sent.
INLINE_LIMIT: Final = 51_200


def make(config: Config, code: CodeKeys) -> Json:
    """The template for a channel. Raises ConfigError where settings do not fit each other."""
    parts = [
        storage.resources(config),
        functions.resources(config, code),
        workers.resources(config, code),
        _machine_role(config),
        machine.resources(config),
        schedule.resources(config),
        alarms.resources(config),
    ]
    resources: dict[str, Json] = {}
    for part in parts:
        assert not resources.keys() & part.keys(), resources.keys() & part.keys()
        resources |= part
    template: Json = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{config.aws.prefix}: manga chapters into narrated videos (mangavid)",
    }
    asked = {**code.parameters, **workers.parameters(config.aws)}
    if asked:
        template["Parameters"] = asked
    return template | {"Resources": resources, "Outputs": _outputs()}


def text(template: Json) -> str:
    """A template as it is written out and sent: JSON in the order it was made in, plain ASCII."""
    return json.dumps(template, indent=1, ensure_ascii=True) + "\n"


def _machine_role(config: Config) -> dict[str, Json]:
    names = Names(config.aws.prefix)
    called = [name for name in functions.SIZES if name != "reaper"]  # the reaper serves no state
    rights = [
        allow("Call", "lambda:InvokeFunction", [arn("lambda", f"function:{names.function(name)}") for name in called]),
        allow_any(
            "Logs",
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ),
        allow_any(
            "Traces",
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
        ),
    ]
    return role(config.aws, "state-machine", rights, by=trust("states.amazonaws.com", [machine.machine_arn(names)]))


def _outputs() -> dict[str, Json]:
    """What commands ask the stack for."""
    return {
        "Region": {"Description": "Where all of this is", "Value": REGION},
        **machine.outputs(),
        "Table": {"Description": "The jobs table", "Value": ref(storage.TABLE)},
        "Bucket": {"Description": "Artifacts and finished videos", "Value": ref(storage.BUCKET)},
        **workers.outputs(),
        "WorkerSecurityGroup": {
            "Description": "The security group of the machines",
            "Value": att(launching.GROUP, "GroupId"),
        },
        "AlarmTopic": {"Description": "Where alarms are told", "Value": ref(alarms.TOPIC)},
        "DeadLetters": {"Description": "The queue of what was given up", "Value": ref(functions.DEAD_LETTERS)},
    }
