"""What moto 5.2.5 does wrong, by name: what it spoils, and how it is seen to be there.

A scenario names the defects that show in it. Only the fields a defect spoils are left out of the comparison there, and
where a defect no longer shows, the test says so: then it is to be taken off this list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.sfn.behaviour import View

ALL = ("status", "output", "error", "cause", "path", "events", "details")


@dataclass(frozen=True)
class Defect:
    """``shows`` looks at moto's view and ours. ``spoils``: the fields that can't be compared."""

    why: str
    spoils: tuple[str, ...]
    shows: Callable[[View, View], bool]


def _spaced(moto: View, ours: View) -> bool:
    return ": " in str(moto.cause) and str(moto.cause).replace(": ", ":").replace(", ", ",") == str(ours.cause).replace(
        ": ", ":"
    ).replace(", ", ",")


KNOWN = {
    "a float in an intrinsic is refused": Defect(
        "its grammar's action reads INT where the token is NUMBER",
        ALL,
        lambda moto, ours: moto.status == "REFUSED" and "Func_arg_float" in str(moto.cause),
    ),
    "a field of an array's element comes in a list": Defect(
        "$.a[2].c is definite: AWS gives the value",
        ("output", "details"),
        lambda moto, ours: [ours.output["x"]] == moto.output["x"],
    ),
    "JSON in a cause is written with spaces": Defect("AWS writes it compact", ("cause", "details"), _spaced),
    "a path missing in a task is an error of the task": Defect(
        "on AWS it is States.Runtime and ends the execution without a task event",
        ("error", "cause", "events", "details"),
        lambda moto, ours: moto.error == "Exception" and ours.error == "States.Runtime",
    ),
    "StringMatches takes ? and [ for wildcards": Defect(
        "it uses fnmatch; the language knows only the asterisk",
        ("output", "path", "details"),
        lambda moto, ours: moto.path == ["C", "Yes"] and ours.path == ["C", "No"],
    ),
    "IsTimestamp knows only Z": Defect(
        "RFC 3339 allows an offset",
        ("output", "path", "details"),
        lambda moto, ours: moto.path == ["C", "No"] and ours.path == ["C", "Yes"],
    ),
    "a Choice on a missing path is just not matched": Defect(
        "on AWS it is States.Runtime, but for IsPresent",
        ALL,
        lambda moto, ours: (
            moto.status == "SUCCEEDED" and "condition path references an invalid value" in str(ours.cause)
        ),
    ),
    "no match is States.Runtime": Defect(
        "on AWS States.NoChoiceMatched",
        ("error", "cause", "details"),
        lambda moto, ours: moto.error == "States.Runtime" and ours.error == "States.NoChoiceMatched",
    ),
    "a string output loses its quotes": Defect(
        "DescribeExecution gives JSON text on AWS",
        ("output",),
        lambda moto, ours: moto.output == f"not JSON: {ours.output}",
    ),
    "a failure's cause is lost": Defect(
        "SendTaskFailure reads only the error",
        ("cause", "output", "details"),
        lambda moto, ours: "why" in str(ours.details) and "why" not in str(moto.details),
    ),
    "a retry gets the same token": Defect(
        "AWS makes a new one for every attempt",
        (),
        lambda moto, ours: 0 < moto.tokens < ours.tokens,
    ),
    "a retry hears the answer of the attempt before": Defect(
        "it follows from the same token: the old answer ends the new attempt",
        ALL,
        # Which answer comes first is a race; that both attempts share a token is what makes it one.
        lambda moto, ours: (
            ours.status == "SUCCEEDED" and (moto.error == "SpotInterrupted" or moto.tokens == 1 < ours.tokens)
        ),
    ),
    "a heartbeat's expiry is no States.HeartbeatTimeout": Defect(
        "on AWS a Catch may name it so",
        ALL,
        lambda moto, ours: moto.error == "States.Timeout" and ours.path == ["S", "Caught"],
    ),
    "a timed-out execution has no stop": Defect(
        "DescribeExecution lacks stopDate", (), lambda moto, ours: ours.stopped and not moto.stopped
    ),
}
