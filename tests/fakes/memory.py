"""Ports in memory, for tests. Each passes the contract suite of its port; each keeps a ledger of what was asked."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mangavid.errors import AuthError, ConditionFailed, LeaseLost, SourceNotFound
from mangavid.models import Product
from mangavid.ports import Change, Clause, Execution, InstanceInfo, Item, Phase


class FakeClock:
    """Time that moves only when somebody sleeps or the test says so."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class InMemoryJobs:
    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.changes: list[Change] = []

    def get(self, key: str) -> Item | None:
        return copy.deepcopy(self.items.get(key))

    def change(self, *changes: Change) -> list[Item]:
        staged = dict(self.items)
        for change in changes:
            item = staged.get(change.key)
            for group in change.when:
                if not any(self._test(clause, item) for clause in group):
                    raise ConditionFailed(f"{change.key}: {group}", current=copy.deepcopy(item))
            staged[change.key] = self._after(change, item)
        self.items = staged
        self.changes.extend(changes)
        return [copy.deepcopy(staged[change.key]) for change in changes]

    @staticmethod
    def _test(clause: Clause, item: Item | None) -> bool:
        missing = object()
        value = missing if item is None else item.get(clause.field, missing)
        if value is missing:
            return clause.op == "absent"
        tests = {
            "absent": lambda: False,
            "present": lambda: True,
            "eq": lambda: value == clause.value,
            "ne": lambda: value != clause.value,
            "lt": lambda: value < clause.value,
            "in": lambda: value in clause.value,
            "size_lt": lambda: len(value) < clause.value,
            "contains": lambda: clause.value in value,
            "not_contains": lambda: clause.value not in value,
        }
        return bool(tests[clause.op]())

    @staticmethod
    def _after(change: Change, item: Item | None) -> Item:
        new = copy.deepcopy(item) if item else {}
        new.update(copy.deepcopy(dict(change.set)))
        new["key"] = change.key
        for field in change.remove:
            new.pop(field, None)
        for field, members in change.add.items():
            new[field] = frozenset(new.get(field, frozenset())).union(members)
        for field, members in change.discard.items():
            new[field] = frozenset(new.get(field, frozenset())).difference(members)
        for field, amount in change.plus.items():
            new[field] = new.get(field, 0) + amount
        return {field: value for field, value in new.items() if value != frozenset()}

    def by_status(self, *status: str) -> Iterator[Item]:
        found = [
            item
            for key, item in self.items.items()
            if key.startswith("JOB#") and "status" in item and (not status or item["status"] in status)
        ]
        found.sort(key=lambda item: item["key"])
        found.sort(key=lambda item: item.get("updated_at", ""), reverse=True)
        return iter(copy.deepcopy(found))

    def named(self, beginning: str) -> Iterator[str]:
        return (str(item["job_id"]) for item in self.by_status() if str(item["job_id"]).startswith(beginning))

    def runs(self) -> Iterator[Item]:
        found = [item for key, item in self.items.items() if key.startswith("RUN#")]
        found.sort(key=lambda item: (item.get("started_at", ""), item["key"]), reverse=True)
        return iter(copy.deepcopy(found))


class InMemoryObjects:
    """Objects as bytes; ``fetch`` writes them below a folder the test gives."""

    def __init__(self, folder: Path) -> None:
        self.data: dict[str, bytes] = {}
        self.puts: list[str] = []
        self._folder = folder

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> Product:
        if not key or any(part in ("", ".", "..") for part in key.split("/")):
            raise ValueError(key)
        if if_absent and key in self.data:
            raise ConditionFailed(f"{key} exists")
        content = data.read_bytes() if isinstance(data, Path) else data
        self.data[key] = content
        self.puts.append(key)
        return Product(key=key, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))

    def get(self, key: str) -> bytes:
        if key not in self.data:
            raise SourceNotFound(f"no object {key}")
        return self.data[key]

    def fetch(self, key: str) -> Path:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.get(key))
        return path

    def exists(self, key: str) -> bool:
        return key in self.data

    def list(self, prefix: str) -> Iterator[Product]:
        for key in sorted(self.data):
            if key.startswith(prefix):
                yield Product(key=key, sha256="", bytes=len(self.data[key]))

    def delete(self, keys: Sequence[str]) -> int:
        return sum(self.data.pop(key, None) is not None for key in keys)


class FakeCallbacks:
    """Open tokens are those in ``open``; every answer is kept in ``answers``."""

    def __init__(self, *tokens: str) -> None:
        self.open = set(tokens)
        self.answers: list[tuple[Any, ...]] = []
        self.heartbeats: list[str] = []

    def _check(self, token: str) -> None:
        if token not in self.open:
            raise LeaseLost("Task Timed Out: 'Provided task does not exist anymore'")

    def success(self, token: str, output: Mapping[str, Any]) -> None:
        self._check(token)
        self.open.discard(token)
        self.answers.append(("success", token, dict(output)))

    def failure(self, token: str, error: str, cause: str) -> None:
        self._check(token)
        self.open.discard(token)
        self.answers.append(("failure", token, error, cause))

    def heartbeat(self, token: str) -> None:
        self._check(token)
        self.heartbeats.append(token)


class FakeInstances:
    """Instances are names; ``running`` those alive, ``launched`` the ledger. A repeated launch gives the same one."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.launched: list[tuple[Phase, str, int]] = []
        self.terminated: list[str] = []
        self.fail_with: Exception | None = None
        self.since = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        if self.fail_with is not None:
            raise self.fail_with
        name = f"i-{phase}-{job_id}-{epoch}"
        if (phase, job_id, epoch) not in self.launched:
            self.launched.append((phase, job_id, epoch))
            self.running.add(name)
        return name

    def alive(self, instance: str) -> bool:
        return instance in self.running

    def terminate(self, instance: str) -> None:
        self.terminated.append(instance)
        self.running.discard(instance)

    def list(self) -> Iterator[InstanceInfo]:
        for phase, job_id, epoch in self.launched:
            name = f"i-{phase}-{job_id}-{epoch}"
            if name in self.running:
                yield InstanceInfo(instance=name, phase=phase, job_id=job_id, epoch=epoch, launched=self.since)


class FakeExecutions:
    """Executions by name; the test sets their status."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.by_arn: dict[str, Execution] = {}
        self.events: dict[str, list[Item]] = {}

    def start(self, name: str, input: Mapping[str, Any]) -> str:
        arn = f"arn:aws:states:local:000000000000:execution:manga-pipeline:{name}"
        self.by_arn.setdefault(
            arn, Execution(arn=arn, name=name, status="RUNNING", started=self.clock.now(), input=dict(input))
        )
        return arn

    def describe(self, arn: str) -> Execution:
        if arn not in self.by_arn:
            raise SourceNotFound(f"no execution {arn}")
        return self.by_arn[arn]

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        found = sorted(self.by_arn.values(), key=lambda one: one.started, reverse=True)
        return (one for one in found if status in (None, one.status))

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[Item]:
        events = self.events.get(arn, [])
        return iter(events[::-1] if reverse else events)

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        one = self.describe(arn)
        self.by_arn[arn] = Execution(
            arn=arn,
            name=one.name,
            status="ABORTED",
            started=one.started,
            stopped=self.clock.now(),
            error=error,
            cause=cause,
        )

    def redrive(self, arn: str) -> None:
        one = self.describe(arn)
        self.by_arn[arn] = Execution(arn=arn, name=one.name, status="RUNNING", started=one.started)


class FakeSecrets:
    """``ports.Secrets`` by name; a test sets what there is."""

    def __init__(self, **values: str) -> None:
        self.values = {name.replace("_", "-"): value for name, value in values.items()}

    def get(self, name: str) -> str:
        if name not in self.values:
            raise AuthError(f"the secret {name} is not set")
        return self.values[name]
