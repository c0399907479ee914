"""What starts by itself: the daily run, and the reaper every 15 minutes and whenever a run or a machine ends badly.

A run's execution is named by the id that EventBridge Scheduler gives the attempt. The scheduled time would name it the
same for every attempt, but holds a colon, which no execution's name may. It is not missed: a second start finds the
lock, and after that the quota.
"""

from __future__ import annotations

import json
import zoneinfo
from typing import Final

from mangavid.aws.names import Names
from mangavid.aws.stack.functions import DEAD_LETTERS
from mangavid.aws.stack.machine import MACHINE, machine_arn
from mangavid.aws.stack.parts import ACCOUNT, Json, allow, arn, att, passing, ref, sub, trust
from mangavid.aws.stack.rights import dead_letters, role
from mangavid.aws.stack.storage import KEY
from mangavid.config import Config
from mangavid.errors import ConfigError

#: After this long a start, or a call of the reaper, is of no use any more.
OLDEST_SECONDS: Final = 3600
ATTEMPT: Final = "<aws.scheduler.execution-id>"


def resources(config: Config) -> dict[str, Json]:
    names = Names(config.aws.prefix)
    made = {DEAD_LETTERS: _dead_letters(names), f"{DEAD_LETTERS}Policy": _dead_letters_policy()}
    if config.aws.schedule:
        made |= _daily(config)
    for name, rule in _sweeps(names).items():
        made |= _rule(names, name, rule)
    return made


def _dead_letters(names: Names) -> Json:
    properties = {
        "QueueName": f"{names.prefix}-dead-letters",
        "KmsMasterKeyId": att(KEY),
        "MessageRetentionPeriod": 14 * 24 * 3600,
    }
    return passing({"Type": "AWS::SQS::Queue", "Properties": properties})


def _dead_letters_policy() -> Json:
    rules = [att(f"{name}Rule") for name in _sweeps(Names())]
    queue = att(DEAD_LETTERS)
    statements = [
        {
            "Sid": "Rules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": rules}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [ref(DEAD_LETTERS)],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        },
    }


def _daily(config: Config) -> dict[str, Json]:
    try:
        zoneinfo.ZoneInfo(config.aws.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"aws.time_zone: {config.aws.time_zone} is no time zone", hint="name a place: Asia/Ho_Chi_Minh"
        ) from None
    names = Names(config.aws.prefix)
    group = arn("scheduler", f"schedule-group/{names.prefix}")
    rights = [
        allow("Start", "states:StartExecution", machine_arn(names)),
        *dead_letters(DEAD_LETTERS),
    ]
    start = {"StateMachineArn": f"${{{MACHINE}}}", "Name": f"scheduled-{ATTEMPT}", "Input": "{}"}
    return {
        "ScheduleGroup": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": names.prefix}},
        **role(config.aws, "schedule", rights, by=trust("scheduler.amazonaws.com", [group])),
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Name": f"{names.prefix}-run",
                "GroupName": ref("ScheduleGroup"),
                "Description": f"Starts {names.machine}",
                "ScheduleExpression": config.aws.schedule,
                "ScheduleExpressionTimezone": config.aws.time_zone,
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "State": "ENABLED",
                "Target": {
                    # The API itself rather than the state machine as a target: only so the execution gets our name.
                    "Arn": sub("arn:${AWS::Partition}:scheduler:::aws-sdk:sfn:startExecution"),
                    "RoleArn": att("ScheduleRole"),
                    "Input": sub(json.dumps(start)),
                    "RetryPolicy": {"MaximumEventAgeInSeconds": OLDEST_SECONDS, "MaximumRetryAttempts": 10},
                    "DeadLetterConfig": {"Arn": att(DEAD_LETTERS)},
                },
            },
        },
    }


def _sweeps(names: Names) -> dict[str, Json]:
    """What calls the reaper: rules by the names of their resources. It looks at how things are, not at the event."""
    ended = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": [machine_arn(names)]},
    }
    warned = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    return {
        "Sweep": {"Description": "The reaper's round", "ScheduleExpression": "rate(15 minutes)"},
        "ExecutionEnded": {"Description": "A run ended badly: its machines go", "EventPattern": ended},
        "SpotWarning": {"Description": "A Spot machine is taken away", "EventPattern": warned},
    }


def _rule(names: Names, name: str, rule: Json) -> dict[str, Json]:
    target = {
        "Id": "reaper",
        "Arn": att("ReaperFunction"),
        "RetryPolicy": {"MaximumEventAgeInSeconds": OLDEST_SECONDS, "MaximumRetryAttempts": 3},
        "DeadLetterConfig": {"Arn": att(DEAD_LETTERS)},
    }
    return {
        f"{name}Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": f"{names.prefix}-{name.lower()}",
                **rule,
                "State": "ENABLED",
                "Targets": [target],
            },
        },
        f"{name}Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": ref("ReaperFunction"),
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": att(f"{name}Rule"),
                "SourceAccount": ACCOUNT,
            },
        },
    }
