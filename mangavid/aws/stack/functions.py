"""The functions: what each is given, may do, and where it logs."""

from __future__ import annotations

from typing import Final

import msgspec

from mangavid.aws.environment import LAUNCHING, settings
from mangavid.aws.names import Names
from mangavid.aws.package.groups import ARCHITECTURE, HANDLERS, RUNTIME
from mangavid.aws.stack import storage
from mangavid.aws.stack.code import CodeKeys
from mangavid.aws.stack.launching import listed
from mangavid.aws.stack.machine import machine_arn
from mangavid.aws.stack.parts import Json, Value, allow, allow_any, att, log_group, logical, ref, skipping, trust
from mangavid.aws.stack.rights import dead_letters, made_by, role
from mangavid.config import Aws, Config
from mangavid.errors import ConfigError

DEAD_LETTERS: Final = "DeadLetters"
#: Lambda's limit on all variables of a function together, in bytes.
ENVIRONMENT_LIMIT: Final = 4096


class Size(msgspec.Struct, frozen=True):
    """``seconds`` stays below the time limit of the state that calls the function: it is told of its own end first.

    ``memory`` in MB is also the share of a processor (1,769 MB are one); ``disk`` is /tmp, in MB.
    """

    seconds: int
    memory: int = 512
    disk: int = 512


#: A new account gives no function more than 3,008 MB.
SIZES: Final = {
    "check-quota": Size(45),
    "fetcher": Size(870, 3008, 4096),
    "scriptgen": Size(870, 1769, 1024),
    "ttsgen": Size(870, 1769, 1024),
    "start-renderer": Size(240),
    "renderer-callback": Size(240),
    "start-uploader": Size(240),
    "uploader-callback": Size(240),
    "cleanup": Size(240),
    "increment-counter": Size(45),
    "handle-error": Size(45),
    "reaper": Size(240),
}

_SKIPS: Final = {
    "CKV_AWS_117": "It calls AWS and public sites only; a VPC would add a NAT gateway's price and protect nothing.",
    "CKV_AWS_173": "No variable is a secret; a key would be one more thing that every cold start waits for.",
}
_NO_DEAD_LETTERS: Final = "Step Functions calls it and waits for the answer: no call is ever lost in a queue."
_NO_RESERVE: Final = (
    "One execution runs at a time, and reserving fails in accounts with a new account's quota:"
    " the setting aws.reserved_concurrency does it."
)


def resources(config: Config, code: CodeKeys) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for function, size in SIZES.items():
        name = logical(function)
        group = f"/aws/lambda/{Names(config.aws.prefix).function(function)}"
        made[f"{name}Logs"] = log_group(group, config.aws.log_days, storage.KEY)
        made |= role(config.aws, function, rights(config.aws, function), by=trust("lambda.amazonaws.com"))
        made[f"{name}Function"] = _function(config, code, function, size)
    return made


def _function(config: Config, code: CodeKeys, function: str, size: Size) -> Json:
    name = logical(function)
    properties: Json = {
        "FunctionName": Names(config.aws.prefix).function(function),
        "Runtime": RUNTIME,
        "Architectures": [ARCHITECTURE],
        "Handler": HANDLERS[function],
        "Code": {"S3Bucket": code.bucket, "S3Key": code.functions[function]},
        "Role": att(f"{name}Role"),
        "Timeout": size.seconds,
        "MemorySize": size.memory,
        "EphemeralStorage": {"Size": size.disk},
        "Environment": {"Variables": _environment(config, function)},
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "WARN",
            "LogGroup": ref(f"{name}Logs"),
        },
    }
    skips = dict(_SKIPS)
    if config.aws.reserved_concurrency:
        properties["ReservedConcurrentExecutions"] = 1
    else:
        skips["CKV_AWS_115"] = _NO_RESERVE
    if function == "reaper":
        properties["DeadLetterConfig"] = {"TargetArn": att(DEAD_LETTERS)}
    else:
        skips["CKV_AWS_116"] = _NO_DEAD_LETTERS
    return skipping({"Type": "AWS::Lambda::Function", "Properties": properties}, **skips)


def _environment(config: Config, function: str) -> dict[str, Value]:
    """What ``mangavid.aws.environment`` reads. Raises ConfigError where it is more than Lambda takes."""
    variables: dict[str, Value] = {
        "MANGAVID_TABLE": ref(storage.TABLE),
        "MANGAVID_BUCKET": ref(storage.BUCKET),
        "MANGAVID_STATE_MACHINE": machine_arn(Names(config.aws.prefix)),
        "MANGAVID_SETTINGS": told(config),
    }
    if worker := LAUNCHING.get(function):
        template = f"{logical(worker)}Template"
        subnets: Value = {"Fn::Join": [",", ref("Subnets")]}
        variables |= {
            "MANGAVID_LAUNCH_TEMPLATE": ref(template),
            "MANGAVID_LAUNCH_VERSION": att(template, "LatestVersionNumber"),
            "MANGAVID_SUBNETS": ",".join(listed(config.aws.subnets)) or subnets,
        }
    if sum(len(name) + len(str(value)) for name, value in variables.items()) > ENVIRONMENT_LIMIT:
        raise ConfigError("these settings are more than a function can be given", hint="leave some at their default")
    return variables


def told(config: Config) -> str:
    """The settings that functions and machines work by: changing any other one changes none of them.

    Raises ConfigError for a setting that means something on this machine only.
    """
    if config.video.music not in ("auto", "none"):
        raise ConfigError(
            f"video.music: {config.video.music} is a file of this machine", hint="on AWS it is auto or none"
        )
    aws = Aws(
        prefix=config.aws.prefix,
        renderer_types=config.aws.renderer_types,
        uploader_types=config.aws.uploader_types,
        on_demand_fallback=config.aws.on_demand_fallback,
    )
    source = msgspec.structs.replace(config.source, library="")
    publisher = msgspec.structs.replace(config.publisher, folder="")
    return settings(msgspec.structs.replace(config, target="local", aws=aws, source=source, publisher=publisher))


def rights(aws: Aws, function: str) -> list[Json]:
    """The calls that a function makes, and what AWS does for it."""
    statements = [
        *made_by(aws, function),
        allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], att(f"{logical(function)}Logs")),
        allow_any("Traces", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    ]
    if function == "reaper":
        statements += dead_letters(DEAD_LETTERS)
    return statements
