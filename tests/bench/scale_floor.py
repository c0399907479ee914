"""The least that shows what `scale` times, in plain boto3 or sqlite3: ``python scale_floor.py WHAT ARGUMENT…``.

It prints a line once it has a first screen, and one at the end; nothing is laid out, nothing is kept.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import Any

SCREEN = 20
STATUSES = (
    "claimed", "fetched", "scripted", "voiced", "rendering", "rendered", "uploading",
    "failed", "quarantined", "interrupted", "awaiting_upload", "uploaded", "cleaned",
)  # fmt: skip


def status_aws(everything: bool) -> None:
    import boto3

    account = boto3.client("sts").get_caller_identity()["Account"]
    states, table = boto3.client("stepfunctions"), boto3.client("dynamodb")
    machine = f"arn:aws:states:{states.meta.region_name}:{account}:stateMachine:manga-pipeline"
    limit = {} if everything else {"Limit": SCREEN}

    def query(index: str, field: str, value: str) -> int:
        asked: dict[str, Any] = {"ExpressionAttributeNames": {"#f": field}, **limit}
        asked |= {"ExpressionAttributeValues": {":v": {"S": value}}, "ScanIndexForward": False}
        seen = 0
        while True:
            page = table.query(
                TableName="manga-pipeline-jobs", IndexName=index, KeyConditionExpression="#f = :v", **asked
            )
            seen += len(page["Items"])
            if not everything or "LastEvaluatedKey" not in page:
                return seen
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    seen = 0
    for status in STATUSES:
        seen += query("status-index", "status", status)
    seen += query("runs-index", "kind", "RUN")
    seen += len(states.list_executions(stateMachineArn=machine, maxResults=1000 if everything else SCREEN))
    print(seen, flush=True)


def history_aws(arn: str) -> None:
    import boto3

    states = boto3.client("stepfunctions")
    asked: dict[str, Any] = {"executionArn": arn, "maxResults": 1000}
    while True:
        page = states.get_execution_history(**asked)
        print(len(page["events"]), flush=True)
        if "nextToken" not in page:
            return
        asked["nextToken"] = page["nextToken"]


def status_here(home: str, everything: bool) -> None:
    limit = -1 if everything else SCREEN
    seen = 0
    with sqlite3.connect(f"{home}/jobs.db") as jobs, sqlite3.connect(f"{home}/journal.db") as journal:
        for status in STATUSES:
            rows = jobs.execute("SELECT body FROM items WHERE status = ? ORDER BY sort DESC LIMIT ?", (status, limit))
            seen += sum(len(json.loads(body)) > 0 for (body,) in rows)
        seen += sum(1 for _ in journal.execute("SELECT name, status, started FROM executions LIMIT ?", (limit,)))
    print(seen, flush=True)


def history_here(home: str, arn: str) -> None:
    with sqlite3.connect(f"{home}/journal.db") as journal:
        rows = journal.execute("SELECT details FROM events WHERE arn = ? ORDER BY id", (arn,))
        for n, (details,) in enumerate(rows):
            json.loads(details or "{}")
            if n % 1000 == 999:
                print(n, flush=True)
    print("end", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["status-aws", everything]:
            status_aws(everything == "all")
        case ["history-aws", arn]:
            history_aws(arn)
        case ["status-here", home, everything]:
            status_here(home, everything == "all")
        case ["history-here", home, arn]:
            history_here(home, arn)
