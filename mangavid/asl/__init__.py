"""``statemachine.asl.json``: finding it, and filling in its placeholders. Linting it is ``mangavid.asl.lint``'s job."""

from __future__ import annotations

import json
import re
from typing import Any

from mangavid.errors import ConfigError
from mangavid.resources import bundled

FILE = "statemachine.asl.json"
LOCAL_REGION = "local"
LOCAL_ACCOUNT = "000000000000"

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


def source() -> str:
    """The file's text, placeholders and all."""
    return bundled(FILE).read_text(encoding="utf-8")


def render(text: str, region: str, account: str) -> str:
    """Fill in ``${AWS::Region}`` and ``${AWS::AccountId}``; nothing else changes, as with the two ``sed`` commands.

    Raises ConfigError where another placeholder is left.
    """
    made = text.replace("${AWS::Region}", region).replace("${AWS::AccountId}", account)
    left = sorted(set(_PLACEHOLDER.findall(made)))
    if left:
        raise ConfigError(f"{FILE}: nothing is known to put in place of {', '.join(left)}")
    return made


def load_definition(region: str, account: str) -> dict[str, Any]:
    """The pipeline's state machine for one region and account."""
    definition: dict[str, Any] = json.loads(render(source(), region, account))
    return definition


def local_definition() -> dict[str, Any]:
    """The pipeline's state machine as the local engine runs it."""
    return load_definition(LOCAL_REGION, LOCAL_ACCOUNT)
