"""The jobs table in DynamoDB: one item a key, changed only by conditional updates.

The table's key is ``pk``. ``status-index`` (status, updated_at) lists jobs, ``runs-index`` (kind, started_at) runs:
``kind`` is "RUN" on RUN# items and written here, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import merge
from itertools import chain
from math import isfinite
from typing import Any, Final, get_args

from mangavid import faults
from mangavid.aws.session import Refused, Service
from mangavid.errors import ConditionFailed, UpstreamUnavailable
from mangavid.keys import job_item
from mangavid.models import JobState
from mangavid.ports import Change, Clause, Clock, Item

STATUS_INDEX: Final = "status-index"
RUNS_INDEX: Final = "runs-index"

_REFUSED = ("ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException")
#: Two writers that met: each further attempt waits twice as long, about 3 s in all.
_CONFLICTS, _FIRST_WAIT = 7, 0.05
_GONE: Final = object()
#: What most who list jobs or runs look at; a whole page is up to 1 MB.
_SCREEN: Final = 25


class DynamoJobs:
    """``ports.Jobs``. A write whose answer was lost is recognised, so that sending it again is no refusal."""

    def __init__(self, dynamodb: Service, table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def get(self, key: str) -> Item | None:
        answer = self._dynamodb.call("get_item", TableName=self._table, Key=_key(key), ConsistentRead=True)
        return _item(answer["Item"]) if "Item" in answer else None

    def change(self, *changes: Change) -> list[Item]:
        """Of several changes, or where a number is added to, the items are returned as read right afterwards."""
        faults.point("jobs.commit")
        if len(changes) == 1 and not changes[0].plus:
            after = [self._update(changes[0])]
        else:
            self._transact(changes)
            after = [self.get(change.key) or {} for change in changes]
        faults.point("jobs.committed")
        return after

    def _update(self, change: Change) -> Item:
        parameters = _update(self._table, change)
        for wait in self._waits():
            try:
                return _item(
                    self._dynamodb.call("update_item", expect=_REFUSED, ReturnValues="ALL_NEW", **parameters)[
                        "Attributes"
                    ]
                )
            except Refused as refused:
                if refused.code == "TransactionConflictException":
                    self._clock.sleep(wait)
                    continue
                current = _item(refused.response["Item"]) if "Item" in refused.response else None
                if refused.retried and current is not None and _made(change, current):
                    return current
                raise ConditionFailed(f"{change.key} is not as expected", current=current) from refused
        raise UpstreamUnavailable(f"{change.key} is being changed by others all the time")

    def _transact(self, changes: Sequence[Change]) -> None:
        """All or none. botocore sends a token along, by which DynamoDB knows a call that is sent again."""
        writes = [{"Update": _update(self._table, change)} for change in changes]
        for wait in self._waits():
            try:
                self._dynamodb.call("transact_write_items", expect=_REFUSED, TransactItems=writes)
                return
            except Refused as refused:
                reasons = refused.response.get("CancellationReasons", ())
                for change, reason in zip(changes, reasons, strict=False):
                    if reason.get("Code") == "ConditionalCheckFailed":
                        current = _item(reason["Item"]) if "Item" in reason else None
                        raise ConditionFailed(f"{change.key} is not as expected", current=current) from refused
                others = {str(reason.get("Code", "None")) for reason in reasons} - {"None"}
                if not others <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                    raise ValueError(f"a transaction that DynamoDB can't make: {refused.message}") from refused
                self._clock.sleep(wait)
        raise UpstreamUnavailable(f"{changes[0].key} is being changed by others all the time")

    def _waits(self) -> Iterator[float]:
        return (_FIRST_WAIT * 2**n for n in range(_CONFLICTS))

    def by_status(self, *status: str) -> Iterator[Item]:
        # Each status is a partition of the index, in its own order: merged, they are in one.
        lists = [self._query(STATUS_INDEX, "status", one) for one in dict.fromkeys(status or get_args(JobState))]
        newest_first = merge(*lists, key=lambda item: str(item["updated_at"]), reverse=True)
        return (item for item in newest_first if str(item["key"]).startswith("JOB#"))

    def runs(self) -> Iterator[Item]:
        return self._query(RUNS_INDEX, "kind", "RUN")

    def named(self, beginning: str) -> Iterator[str]:
        # DynamoDB reads all of them, but only keys come here.
        lists = [self._query(STATUS_INDEX, "status", one, beginning=job_item(beginning)) for one in get_args(JobState)]
        return (str(item["key"]).removeprefix(job_item("")) for item in chain(*lists))

    def _query(self, index: str, field: str, value: str, *, beginning: str = "") -> Iterator[Item]:
        chosen = {"FilterExpression": "begins_with(pk, :b)", "ProjectionExpression": "pk"} if beginning else {}
        found = self._dynamodb.ahead(
            "query",
            "Items",
            ask="ExclusiveStartKey",
            told="LastEvaluatedKey",
            limit=None if beginning else ("Limit", _SCREEN),
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression="#f = :v",
            ExpressionAttributeNames={"#f": field},
            ExpressionAttributeValues={":v": {"S": value}, **({":b": {"S": beginning}} if beginning else {})},
            ScanIndexForward=False,
            **chosen,
        )
        return (_item(one) for one in found)


def _key(key: str) -> dict[str, Any]:
    return {"pk": {"S": key}}


# --- a change as DynamoDB's expressions ------------------------------------------------------------------------------


class _Names:
    """Placeholders for fields and values: no field is ever a reserved word."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def field(self, name: str) -> str:
        return next((mark for mark, known in self.names.items() if known == name), None) or self._new(name)

    def _new(self, name: str) -> str:
        mark = f"#n{len(self.names)}"
        self.names[mark] = name
        return mark

    def value(self, value: Any) -> str:
        mark = f":v{len(self.values)}"
        self.values[mark] = typed(value)
        return mark


def _update(table: str, change: Change) -> dict[str, Any]:
    """The parameters of UpdateItem, which are those of an Update in a transaction too."""
    names = _Names()
    parts = _actions(change, names)
    parameters: dict[str, Any] = {
        "TableName": table,
        "Key": _key(change.key),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        # A transaction wants an expression, also where only the item's being there matters.
        "UpdateExpression": " ".join(f"{verb} {', '.join(terms)}" for verb, terms in parts.items() if terms)
        or f"REMOVE {names.field('-')}",
    }
    if change.when:
        groups = [[_test(clause, names) for clause in group] for group in change.when]
        # DynamoDB refuses parentheses it does not need, and AND binds closer than OR.
        parameters["ConditionExpression"] = " AND ".join(
            f"({' OR '.join(tests)})" if len(tests) > 1 and len(groups) > 1 else " OR ".join(tests) for tests in groups
        )
    parameters["ExpressionAttributeNames"] = names.names
    if names.values:
        parameters["ExpressionAttributeValues"] = names.values
    return parameters


def _actions(change: Change, names: _Names) -> dict[str, list[str]]:
    """Terms of SET, REMOVE, ADD and DELETE. What is set or removed is known, so what is added to it is added here."""
    known: dict[str, Any] = {**change.set, **dict.fromkeys(change.remove, _GONE)}
    if change.key.startswith("RUN#"):
        known["kind"] = "RUN"
    add: dict[str, Any] = {}
    take: dict[str, Any] = {}
    for field, members in change.add.items():
        if field in known:
            known[field] = _members(known[field]) | frozenset(members)
        elif members:
            add[field] = frozenset(members)
    for field, members in change.discard.items():
        if field in add:
            raise ValueError(f"{field} is both added to and taken from")
        if field in known:
            known[field] = _members(known[field]) - frozenset(members)
        elif members:
            take[field] = frozenset(members)
    for field, amount in change.plus.items():
        if field in known:
            known[field] = (0 if known[field] is _GONE else known[field]) + amount
        else:
            add[field] = amount
    gone = [field for field, value in known.items() if value is _GONE or value == frozenset()]
    return {
        "SET": [f"{names.field(f)} = {names.value(value)}" for f, value in known.items() if f not in gone],
        "REMOVE": [names.field(field) for field in gone],
        "ADD": [f"{names.field(field)} {names.value(value)}" for field, value in add.items()],
        "DELETE": [f"{names.field(field)} {names.value(value)}" for field, value in take.items()],
    }


def _members(value: Any) -> frozenset[str]:
    return frozenset() if value is _GONE else frozenset(value)


def _test(clause: Clause, names: _Names) -> str:
    field = names.field(clause.field)
    if clause.op == "absent":
        return f"attribute_not_exists({field})"
    there = f"attribute_exists({field})"
    if clause.op == "present":
        return there
    if clause.op == "in":
        if not clause.value:
            return f"{there} AND attribute_not_exists({field})"
        return f"{field} IN ({', '.join(names.value(one) for one in clause.value)})"
    value = names.value(clause.value)
    match clause.op:
        case "eq":
            return f"{field} = {value}"
        case "ne":
            return f"{there} AND {field} <> {value}"
        case "lt":
            return f"{field} < {value}"
        case "size_lt":
            return f"{there} AND size({field}) < {value}"
        case "contains":
            return f"contains({field}, {value})"
        case "not_contains":
            return f"{there} AND NOT contains({field}, {value})"


def _made(change: Change, item: Item) -> bool:
    """Whether an item is as this change would leave it. Never called for one that counts."""
    return (
        all(item.get(field) == plain(typed(value)) for field, value in change.set.items())
        and not any(field in item for field in change.remove)
        and all(frozenset(members) <= item.get(field, frozenset()) for field, members in change.add.items())
        and not any(frozenset(members) & item.get(field, frozenset()) for field, members in change.discard.items())
    )


# --- values ----------------------------------------------------------------------------------------------------------


def typed(value: Any) -> dict[str, Any]:
    """A value in DynamoDB's notation. Raises TypeError, ValueError for what is no JSON value or string set."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float():
            if not isfinite(value):
                raise ValueError(f"{value} can't be stored in the jobs table")
            return {"N": repr(value)}
        case frozenset() | set():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": {str(name): typed(one) for name, one in value.items()}}
        case list() | tuple():
            return {"L": [typed(one) for one in value]}
    raise TypeError(f"{type(value).__name__} can't be stored in the jobs table")


def plain(value: Mapping[str, Any]) -> Any:
    """A value out of DynamoDB's notation. A whole number is an int, whatever it was stored as."""
    ((kind, held),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            number = Decimal(held)
            return int(number) if number == number.to_integral_value() else float(number)
        case "SS":
            return frozenset(held)
        case "M":
            return {name: plain(one) for name, one in held.items()}
        case "L":
            return [plain(one) for one in held]
    return held


def _item(stored: Mapping[str, Any]) -> Item:
    item = {field: plain(value) for field, value in stored.items() if field != "kind"}
    return {"key": item.pop("pk"), **item}


def attributes(names: Iterable[str]) -> list[dict[str, str]]:
    """Definitions of the attributes that are keys."""
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def table_definition(table: str) -> dict[str, Any]:
    """The table as CreateTable wants it: what the template declares, for tests and for holding the two together."""

    def index(name: str, partition: str, order: str) -> dict[str, Any]:
        schema = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}]
        return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}

    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(("pk", "status", "updated_at", "kind", "started_at")),
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            index(STATUS_INDEX, "status", "updated_at"),
            index(RUNS_INDEX, "kind", "started_at"),
        ],
    }
