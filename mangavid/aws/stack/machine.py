"""The state machine: ``statemachine.asl.json`` under the channel's prefix, logged without what it works on."""

from __future__ import annotations

from mangavid import asl
from mangavid.aws.names import WRITTEN, Names
from mangavid.aws.stack import storage
from mangavid.aws.stack.parts import Json, arn, att, log_group, ref, sub
from mangavid.config import Config

MACHINE = "StateMachine"
LOGS = "StateMachineLogs"


def renamed(prefix: str) -> str:
    """The file's text with the prefix it is written with replaced, as one ``sed`` would do; placeholders stay."""
    return asl.source().replace(WRITTEN, prefix)


def machine_arn(names: Names) -> Json:
    """By name: what runs inside the state machine can't refer to it."""
    return arn("states", f"stateMachine:{names.machine}")


def resources(config: Config) -> dict[str, Json]:
    names = Names(config.aws.prefix)
    return {
        # Below /aws/vendedlogs a delivery takes no room in the account's one resource policy of logs.
        LOGS: log_group(f"/aws/vendedlogs/states/{names.machine}", config.aws.log_days, storage.KEY),
        MACHINE: {
            "Type": "AWS::StepFunctions::StateMachine",
            # ARNs in the file say aws, not the partition: it is the file as two sed commands would fill it in.
            "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["I3042"]}}},
            "Properties": {
                "StateMachineName": names.machine,
                "StateMachineType": "STANDARD",
                "RoleArn": att("StateMachineRole"),
                # Fn::Sub fills in the two placeholders that the file has.
                "DefinitionString": sub(renamed(names.prefix)),
                "LoggingConfiguration": {
                    "Level": "ALL",
                    "IncludeExecutionData": False,
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": att(LOGS)}}],
                },
                "TracingConfiguration": {"Enabled": True},
            },
        },
    }


def outputs() -> dict[str, Json]:
    return {"StateMachineArn": {"Description": "The state machine", "Value": ref(MACHINE)}}
