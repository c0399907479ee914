"""What a function or a machine is told when it starts: environment variables, and on a machine its own tags.

| variable | who | what |
|---|---|---|
| ``MANGAVID_SETTINGS`` | all | the settings as JSON: those that differ from their defaults will do |
| ``MANGAVID_TABLE`` | all | name of the jobs table |
| ``MANGAVID_BUCKET`` | all | name of the artifact bucket |
| ``MANGAVID_STATE_MACHINE`` | all but machines | ARN of the state machine |
| ``MANGAVID_LAUNCH_TEMPLATE`` | functions that launch | id of the launch template of the phase it serves |
| ``MANGAVID_LAUNCH_VERSION`` | functions that launch | its version, a number: workers and functions change together |
| ``MANGAVID_SUBNETS`` | functions that launch | subnets a machine may be in, with commas |

The region is ``AWS_REGION``, which Lambda sets by itself. The types of machines and the fallback to full price are
settings. Nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from mangavid.config import Config
from mangavid.errors import ConfigError

#: Functions that launch machines, with the worker they launch.
LAUNCHING: Final = {
    "start-renderer": "renderer",
    "renderer-callback": "renderer",
    "start-uploader": "uploader",
    "uploader-callback": "uploader",
}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The variables, read. ``launch_template`` is empty where nothing is launched."""

    config: Config
    table: str
    bucket: str
    state_machine: str = ""
    region: str | None = None
    launch_template: str = ""
    launch_version: str = ""
    subnets: tuple[str, ...] = ()


def read(variables: Mapping[str, str]) -> Environment:
    """Raises ConfigError, naming the variable that is missing or wrong."""
    try:
        config = msgspec.json.decode(variables.get("MANGAVID_SETTINGS", "{}"), type=Config)
    except msgspec.DecodeError as problem:
        raise ConfigError(f"MANGAVID_SETTINGS: {problem}", hint="mangavid deploy writes it") from problem
    for name in ("MANGAVID_TABLE", "MANGAVID_BUCKET"):
        if not variables.get(name):
            raise ConfigError(f"{name} is not set", hint="mangavid deploy sets it")
    return Environment(
        config=config,
        table=variables["MANGAVID_TABLE"],
        bucket=variables["MANGAVID_BUCKET"],
        state_machine=variables.get("MANGAVID_STATE_MACHINE", ""),
        region=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION"),
        launch_template=variables.get("MANGAVID_LAUNCH_TEMPLATE", ""),
        launch_version=variables.get("MANGAVID_LAUNCH_VERSION", ""),
        subnets=tuple(one.strip() for one in variables.get("MANGAVID_SUBNETS", "").split(",") if one.strip()),
    )


def settings(config: Config) -> str:
    """``MANGAVID_SETTINGS`` for these settings: what differs from the defaults, as JSON with sorted keys.

    Without what only the machine has that deploys: its folders and its AWS profile.
    """
    aws = msgspec.structs.replace(config.aws, profile="")
    config = msgspec.structs.replace(config, local=Config().local, aws=aws)
    default = msgspec.to_builtins(Config())
    chosen = {}
    for name, value in msgspec.to_builtins(config).items():
        if isinstance(value, dict):
            value = {key: one for key, one in value.items() if one != default[name][key]}
            if value:
                chosen[name] = value
        elif value != default[name]:
            chosen[name] = value
    return msgspec.json.encode(chosen, order="sorted").decode()
