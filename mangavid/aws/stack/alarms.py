"""Alarms, where they are told, and the budget."""

from __future__ import annotations

from typing import Final

from mangavid.aws.names import Names
from mangavid.aws.stack import storage
from mangavid.aws.stack.functions import DEAD_LETTERS
from mangavid.aws.stack.machine import MACHINE
from mangavid.aws.stack.parts import ACCOUNT, Json, arn, att, ref
from mangavid.config import Aws, Config
from mangavid.errors import ConfigError

TOPIC: Final = "AlarmTopic"
QUIET_HOURS: Final = 26


def resources(config: Config) -> dict[str, Json]:
    aws = config.aws
    if aws.monthly_budget and not aws.alarm_email:
        raise ConfigError("aws.monthly_budget is told to nobody", hint="set aws.alarm_email too")
    made = {
        TOPIC: {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": f"{aws.prefix}-alarms", "KmsMasterKeyId": att(storage.KEY)},
        },
        f"{TOPIC}Policy": _topic_policy(aws),
        **_alarms(Names(aws.prefix)),
    }
    if aws.alarm_email:
        made["AlarmEmail"] = {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": ref(TOPIC), "Protocol": "email", "Endpoint": aws.alarm_email},
        }
    if aws.monthly_budget:
        made["Budget"] = _budget(aws)
    return made


def _topic_policy(aws: Aws) -> Json:
    statement = {
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": ref(TOPIC),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": arn("cloudwatch", f"alarm:{aws.prefix}-*")},
        },
    }
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {
            "Topics": [ref(TOPIC)],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }


def _alarms(names: Names) -> dict[str, Json]:
    def alarm(name: str, says: str, metric: str, namespace: str, of: Json, **more: object) -> Json:
        properties: Json = {
            "AlarmName": f"{names.prefix}-{name}",
            "AlarmDescription": says,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [of],
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [ref(TOPIC)],
        }
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties | more}

    machine = {"Name": "StateMachineArn", "Value": ref(MACHINE)}
    queue = {"Name": "QueueName", "Value": att(DEAD_LETTERS, "QueueName")}
    reaper = {"Name": "FunctionName", "Value": ref("ReaperFunction")}
    states = "AWS/States"
    return {
        "FailedAlarm": alarm("failed", "A run failed: mangavid history last", "ExecutionsFailed", states, machine),
        "TimedOutAlarm": alarm("timed-out", "A run ran out of time", "ExecutionsTimedOut", states, machine),
        "ThrottledAlarm": alarm(
            "throttled", "Step Functions holds the run back: see its quotas", "ExecutionThrottled", states, machine
        ),
        "QuietAlarm": alarm(
            "quiet",
            f"No run has succeeded for {QUIET_HOURS} hours: mangavid status",
            "ExecutionsSucceeded",
            states,
            machine,
            Period=3600,
            EvaluationPeriods=QUIET_HOURS,
            DatapointsToAlarm=QUIET_HOURS,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
        ),
        "DeadLettersAlarm": alarm(
            "dead-letters",
            "A start or a sweep was given up: its event is in the queue",
            "ApproximateNumberOfMessagesVisible",
            "AWS/SQS",
            queue,
            Statistic="Maximum",
        ),
        "ReaperAlarm": alarm(
            "reaper", "The reaper fails: machines may be left running", "Errors", "AWS/Lambda", reaper, Threshold=2
        ),
    }


def _budget(aws: Aws) -> Json:
    def told(kind: str, percent: int) -> Json:
        return {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": aws.alarm_email}],
        }

    return {
        "Type": "AWS::Budgets::Budget",
        "Properties": {
            "Budget": {
                "BudgetName": aws.prefix,
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": aws.monthly_budget, "Unit": "USD"},
            },
            "NotificationsWithSubscribers": [told("ACTUAL", 80), told("FORECASTED", 100)],
        },
    }
