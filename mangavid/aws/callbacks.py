"""Answers by task token to Step Functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from mangavid.aws.session import Refused, Service
from mangavid.errors import BadInput, LeaseLost

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html and …SendTaskFailure
MAX_TOKEN: Final = 2048
MAX_OUTPUT: Final = 262_144
MAX_ERROR, MAX_CAUSE = 256, 32_768

_LOST = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


class TaskCallbacks:
    """``ports.Callbacks``. All three of AWS's ways to say that a token is not, or no longer, open are LeaseLost."""

    def __init__(self, stepfunctions: Service) -> None:
        self._stepfunctions = stepfunctions

    def success(self, token: str, output: Mapping[str, Any]) -> None:
        """Raises BadInput where the output is over 262,144 bytes of JSON."""
        text = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > MAX_OUTPUT:
            raise BadInput(
                f"the output of a task may have {MAX_OUTPUT} bytes of JSON, not {len(text.encode())}",
                hint="store it under a key and send the key",
            )
        self._send("send_task_success", token, output=text)

    def failure(self, token: str, error: str, cause: str) -> None:
        """Over-long ones are cut to what AWS takes."""
        self._send("send_task_failure", token, error=error[:MAX_ERROR], cause=cause[:MAX_CAUSE])

    def heartbeat(self, token: str) -> None:
        self._send("send_task_heartbeat", token)

    def _send(self, operation: str, token: str, **parameters: str) -> None:
        if not 1 <= len(token) <= MAX_TOKEN:
            raise LeaseLost("InvalidToken: no token has this length")
        try:
            self._stepfunctions.call(operation, expect=_LOST, taskToken=token, **parameters)
        except Refused as refused:
            raise LeaseLost(f"{refused.code}: {refused.message}") from refused
