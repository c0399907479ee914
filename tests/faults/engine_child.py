"""A process that drives one execution to its end: ``python engine_child.py FOLDER``. Its calls go to a ledger file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mangavid.clock import SystemClock
from mangavid.errors import Locked
from mangavid.local.engine.interpreter import Engine

FUNCTION = "arn:aws:lambda:local:000000000000:function:"
DEFINITION: dict[str, Any] = {
    "StartAt": "First",
    "States": {
        "First": {
            "Type": "Task",
            "Resource": f"{FUNCTION}first",
            "Parameters": {"retry.$": "$$.State.RetryCount"},
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "Next": "Rest",
        },
        "Rest": {"Type": "Wait", "Seconds": 0, "Next": "Work"},
        "Work": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": "work",
                "Payload": {"token.$": "$$.Task.Token", "retry.$": "$$.State.RetryCount"},
            },
            "HeartbeatSeconds": 60,
            "TimeoutSeconds": 600,
            "ResultPath": "$.work",
            "Next": "Which",
        },
        "Which": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.work.status", "StringEquals": "completed", "Next": "Done"}],
            "Default": "Broken",
        },
        "Done": {"Type": "Succeed"},
        "Broken": {"Type": "Fail"},
    },
}


class Busy(Exception):
    pass


def main(folder: Path) -> int:
    def note(**call: Any) -> None:
        with (folder / "ledger").open("ab") as ledger:
            ledger.write(json.dumps(call).encode() + b"\n")
            os.fsync(ledger.fileno())

    def first(event: dict[str, Any]) -> dict[str, Any]:
        note(state="First", **event)
        if event["retry"] == 0:
            raise Busy("once")
        return {"made": 1}

    def work(event: dict[str, Any]) -> dict[str, Any]:
        note(state="Work", **event)
        return {}

    engine = Engine(folder / "journal.db", DEFINITION, SystemClock(), {"first": first, "work": work})
    try:
        ended = engine.run(engine.start("one", {}))
    except Locked:
        return 8
    except KeyboardInterrupt:
        return 130
    return 0 if ended.status == "SUCCEEDED" else 4


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
