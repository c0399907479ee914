"""The two stages a scenario is played on: the local target's adapters, and the AWS adapters on moto."""

from __future__ import annotations

import dataclasses
import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from mangavid import asl, errors, keys
from mangavid.aws import shell
from mangavid.config import Config, Quota
from mangavid.errors import SpotCapacity, UpstreamUnavailable
from mangavid.functions import MODULES
from mangavid.local.engine.executions import JournalExecutions
from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.jsontext import dumps
from mangavid.local.engine.tasks import Call, Outcome, Raised, Returned
from mangavid.local.engine.tokens import TokenClient
from mangavid.local.handlers import PREFIX, function_handlers
from mangavid.local.jobs import SqliteJobs
from mangavid.local.objects import FolderObjects
from mangavid.local.watch import Watch
from mangavid.ports import Change, InstanceInfo, Instances, Item, Jobs, Phase, Target
from mangavid.quota import quota_day
from mangavid.states import reaper, stopping
from tests.fakes.aws import CLIENTS
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.memory import FakeSecrets
from tests.fakes.stepfunctions import MACHINE
from tests.integration.alike.machines import Callbacks, Fleet, chapter_job
from tests.integration.alike.providers import Library, Narrator, Press, Speaker
from tests.integration.alike.scenario import Call as Trouble
from tests.integration.alike.scenario import Scenario
from tests.integration.alike.strands import Strand, Strands

#: Between a function's effects and its answer.
_CALL_SECONDS = 1.0
_SWEEP_SECONDS = 900.0
_ENDED_LONG_AGO = timedelta(hours=5)

Handler = Callable[[dict[str, Any]], dict[str, Any]]


class Stage(ABC):
    """A scenario's run on one target. ``happened``: what really went wrong; ``wrongs``: what must not happen at all."""

    name = ""
    keep_token = False
    machine_arn = ""

    def __init__(self, scenario: Scenario, folder: Path, strands: Strands) -> None:
        self.scenario = scenario
        self.journal = folder / "journal.db"
        self.strands = strands
        self.config = Config(quota=Quota(daily=scenario.quota))
        self.happened: set[str] = set()
        self.wrongs: list[str] = []
        #: Executions by name, in the order they were started.
        self.executions: dict[str, str] = {}
        self.entries: Counter[str] = Counter()
        #: When a run last looked for a chapter, and had none in hand that it went on with.
        self.looked_at = ""
        #: Of each job, by the key of its item, the epoch that the table was last given.
        self.epochs: dict[str, int] = {}
        self.shelf = Library(self)
        self.writer, self.voice, self.publisher = Narrator(self), Speaker(self), Press(self)
        #: What is wrong with the table of the function that is being called.
        self.table: Trouble | None = None
        self._operations = 0
        self._idling: list[Strand] = []
        self._stopped = self._doubled = False
        self._over = False
        #: Executions that CheckQuota let in.
        self._let: set[str] = set()
        #: Tokens, jitter: of all executions, since no token is given twice.
        self._random = Random(scenario.seed)
        self.target: Target
        self.fleet: Fleet

    # --- what differs between the two ---

    @abstractmethod
    def handlers(self) -> Mapping[str, Handler]: ...

    @abstractmethod
    def begin(self, name: str) -> str:
        """Start an execution as this target does."""

    @abstractmethod
    def table_down(self) -> AbstractContextManager[None]:
        """What is asked of the table meanwhile fails."""

    @abstractmethod
    def watching(self, engine: Engine, name: str, arn: str) -> tuple[Callable[[Item], None], Callable[[], bool]]:
        """``on_event`` and ``should_stop`` of the engine."""

    # --- playing ---

    def play(self) -> None:
        """The runs one by one; then what is left at work ends by itself, and the reaper looks a last time."""
        self.target.jobs.change(
            Change(
                key=keys.quota_item(quota_day(self.scenario.start)),
                add={"jobs": [f"before-{n}" for n in range(self.scenario.counted)]},
            )
        )
        self.strands.spawn("runs", self._runs)
        if self.scenario.sweeps:
            self.strands.spawn("sweeps", self._sweeps)
        self.strands.run()
        self.strands.spawn("the last look", self._last_look)
        self.strands.run()

    def _runs(self) -> None:
        for number, after in enumerate(self.scenario.runs, 1):
            if self.strands.now() < self.scenario.start + after:
                self.strands.park(self.scenario.start + after)
            if number > 1 and self._all_done():
                break
            self.drive(f"run-{number}")
        self._over = True

    def _all_done(self) -> bool:
        jobs = (self.target.jobs.get(keys.job_item(chapter_job(one.name))) for one in self.scenario.chapters)
        return all((item or {}).get("status") in ("cleaned", "quarantined") for item in jobs)

    def _sweeps(self) -> None:
        while not self._over:
            self.strands.sleep(_SWEEP_SECONDS)
            if any(True for _ in self.target.executions.list(status="RUNNING")):
                reaper.handle(self.target, {})
                self.happened.add("sweeps")

    def _last_look(self) -> None:
        self.strands.park(self.strands.now() + _ENDED_LONG_AGO)
        reaper.handle(self.target, {})

    def drive(self, name: str) -> None:
        arn = self.executions[name] = self.begin(name)
        engine = Engine(
            self.journal,
            asl.local_definition(),
            self.strands,
            Functions(self),
            random=self._random,
            idle=self.idle,
            machine_arn=self.machine_arn,
        )
        on_event, should_stop = self.watching(engine, name, arn)

        begun = quota_day(self.strands.now())
        passed: list[str] = []

        def hear(event: Item) -> None:
            on_event(event)
            if not event["type"].endswith("StateEntered"):
                return
            passed.append(str(event["stateEnteredEventDetails"]["name"]))
            # Where the counter could not be asked, nobody has looked at the day.
            if passed[-1] == "FetchManga" and passed.count("FetchManga") > 1 and passed[-3] != "CountOnwards":
                today = quota_day(self.strands.now())
                if today != begun:
                    self.wrongs.append(f"{name} began on {begun} and takes another chapter on {today}")
            if event["type"] == "TaskStateEntered":
                self._entered(name, arn, passed[-1])

        engine.run(arn, on_event=hear, should_stop=should_stop)

    def idle(self, seconds: float | None) -> None:
        """The engine waits until a time, or until it is poked."""
        mine = self.strands.current
        self._idling.append(mine)
        try:
            until = None if seconds is None else self.strands.now() + timedelta(seconds=seconds, microseconds=1)
            self.strands.park(until)
        finally:
            self._idling.remove(mine)

    def poke(self) -> None:
        for one in self._idling:
            self.strands.wake(one)

    def day(self, number: int) -> str:
        """The quota day so many days after the scenario's first."""
        return quota_day(self.scenario.start + timedelta(days=number))

    # --- what goes wrong ---

    def _entered(self, name: str, arn: str, state: str) -> None:
        if name == "run-1":
            self.entries[state] += 1
        owner = (self.target.jobs.get(keys.LOCK) or {}).get("owner") if state == "FetchManga" else arn
        if owner != arn:
            self.wrongs.append(f"{name} takes a chapter, and the lock is {owner}'s")
        stop = self.scenario.stop
        if stop and name == "run-1" and (stop.state, stop.nth) == (state, self.entries[state]) and not stop.after:
            self._stop_once(arn)
        if state == self.scenario.second and name == "run-1" and not self._doubled:
            self._doubled = True
            self.happened.add("second execution")
            self.strands.spawn("second", lambda: self.drive("run-1-again"))

    def called(self, call: Call, outcome: Outcome) -> None:
        """A function has done what it does."""
        if call.state == "FetchManga" and call.attempt == 0 and isinstance(outcome, Returned):
            self.looked_at = self.strands.now().isoformat(timespec="microseconds")
        if call.state == "CheckQuota" and isinstance(outcome, Returned):
            self._let_in(call.execution, str(outcome.output["Payload"]["next"]))
        stop = self.scenario.stop
        first = call.execution == self.executions["run-1"]
        if stop and stop.after and first and (stop.state, stop.nth) == (call.state, self.entries[call.state]):
            self._stop_once(call.execution)

    def _let_in(self, execution: str, then: str) -> None:
        """One execution at a time, and none is turned away while no other is at work."""
        running = {one.arn for one in self.target.executions.list(status="RUNNING")} - {execution}
        if then == "done" and not running:
            self.wrongs.append(f"{execution} was turned away, and nothing else is at work")
        if then == "continue":
            self.wrongs += [f"{execution} was let in while {one} is at work" for one in self._let & running]
            self._let.add(execution)

    def _stop_once(self, arn: str) -> None:
        if not self._stopped:
            assert self.scenario.stop
            self._stopped = True
            self.stop(arn, self.scenario.stop.how)

    def stop(self, execution: str, how: str) -> None:
        if self.target.executions.describe(execution).status != "RUNNING":
            return
        self.happened.add(f"stop {how}")
        if how == "command":
            stopping.stop(self.target, self.target.executions.describe(execution))
        else:
            self.target.executions.stop(execution, error="", cause="")
        self.poke()

    def trouble_of(self, call: Call) -> Trouble | None:
        """What is wrong with a call of the first execution, by how often its state was entered and the attempt."""
        if call.execution != self.executions["run-1"]:
            return None
        for one in self.scenario.calls:
            if one.state == call.state and one.nth == self.entries[call.state] and call.attempt < one.times:
                return one
        return None

    def table_trouble(self) -> str:
        """What is wrong with the table at this operation: nothing, ``table`` or ``table after``."""
        machine = self.fleet.current
        if machine:
            failing, machine.table_fails = machine.table_fails, False
            return "table" if failing else ""
        if self.table is None:
            return ""
        self._operations += 1
        if self._operations != self.table.operation:
            return ""
        self.happened.add(f"call {self.table.what}")
        return self.table.what

    @contextmanager
    def with_table(self, trouble: Trouble | None) -> Iterator[None]:
        self.table = trouble if trouble and trouble.what.startswith("table") else None
        self._operations = 0
        try:
            yield
        finally:
            self.table = None

    def raise_first(self, what: str, chapter: str, planned: tuple[str, int], so_far: Counter[str]) -> None:
        """The error that was planned for so many first times."""
        error, times = planned
        so_far[chapter] += 1
        if so_far[chapter] <= times:
            self.happened.add(f"{what} {error}".strip())
            raise getattr(errors, error)(f"{error} of {chapter or 'the library'}")

    # --- making the target ---

    def assemble(self, target: Target, inner: Instances, power_off: Callable[[str], None]) -> None:
        self.fleet = Fleet(self, inner, power_off)
        self.target = dataclasses.replace(
            target,
            jobs=Table(self, target.jobs),
            callbacks=Callbacks(self, target, lambda: self.fleet, self.states_down),
            instances=self.fleet,
            clock=self.strands,
            source=self.shelf.seen,
            writer=lambda: self.writer,
            voice=lambda _engine: self.voice,
            publisher=lambda: self.publisher,
        )

    @abstractmethod
    def states_down(self) -> None:
        """The next call of Step Functions fails."""

    def refusals(self) -> Callable[[Phase, str], bool]:
        """Whether this launch of a phase's machine for a job meets no capacity."""
        so_far: Counter[tuple[str, str]] = Counter()
        planned = {chapter_job(one.name): one.no_capacity for one in self.scenario.chapters}

        def refused(phase: Phase, job_id: str) -> bool:
            so_far[phase, job_id] += 1
            none = so_far[phase, job_id] <= planned[job_id][phase == "upload"]
            if none:
                self.happened.add("no capacity")
            return none

        return refused


class Table:
    """``ports.Jobs`` that fails where the scenario says so."""

    def __init__(self, stage: Stage, inner: Jobs) -> None:
        self._stage = stage
        self._inner = inner

    def get(self, key: str) -> Item | None:
        return self._do(lambda: self._inner.get(key))

    def change(self, *changes: Change) -> list[Item]:
        return self._do(lambda: self._changed(changes))

    def _changed(self, changes: Sequence[Change]) -> list[Item]:
        done = self._inner.change(*changes)
        for one in changes:
            if "epoch" in one.set:
                self._stage.epochs[one.key] = int(one.set["epoch"])
        return done

    def by_status(self, *status: str) -> Iterator[Item]:
        return iter(self._do(lambda: list(self._inner.by_status(*status))))

    def runs(self) -> Iterator[Item]:
        return iter(self._do(lambda: list(self._inner.runs())))

    def _do(self, operate: Callable[[], Any]) -> Any:
        trouble = self._stage.table_trouble()
        if trouble == "table":
            with self._stage.table_down():
                operate()
            raise AssertionError("a table that is down has answered")
        done = operate()
        if trouble:
            raise UpstreamUnavailable("the table's answer was lost")
        return done


class Functions:
    """``tasks.Tasks``: a function is called on the strand of who drives, and its answer comes a second later."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._handlers = stage.handlers()

    def supports(self, resource: str) -> bool:
        return resource.rpartition(":states:::")[2] in ("lambda:invoke", "lambda:invoke.waitForTaskToken")

    def begin(self, call: Call) -> Settled:
        stage = self._stage
        trouble = stage.trouble_of(call)
        handler = self._handlers[str(call.parameters["FunctionName"]).rpartition(":")[2]]
        with stage.with_table(trouble):
            outcome = _invoked(handler, call.parameters["Payload"])
        if trouble and trouble.what in ("lost", "twice"):
            stage.happened.add(f"call {trouble.what}")
            if trouble.what == "twice":
                _invoked(handler, call.parameters["Payload"])
            else:
                outcome = Raised("Lambda.Unknown", "the answer of the function was lost")
        stage.called(call, outcome)
        stage.strands.sleep(_CALL_SECONDS)
        return Settled(outcome)


class Settled:
    def __init__(self, outcome: Outcome) -> None:
        self._outcome: Outcome | None = outcome

    def poll(self) -> Outcome | None:
        outcome, self._outcome = self._outcome, None
        return outcome

    def abandon(self) -> None:
        self._outcome = None


def _invoked(handler: Handler, event: Any) -> Outcome:
    try:
        result = handler(json.loads(json.dumps(event)))
    except errors.MangavidError as problem:
        kind = type(problem).__name__
        return Raised(kind, dumps({"errorMessage": str(problem), "errorType": kind, "stackTrace": []}))
    return Returned({"StatusCode": 200, "Payload": json.loads(json.dumps(result))})


# --- the local target ------------------------------------------------------------------------------------------------


class Processes:
    """The books of ``local.instances``, without processes."""

    def __init__(self, clock: Strands) -> None:
        self._running: dict[str, InstanceInfo] = {}
        self._clock = clock

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        name = f"{phase}-{job_id}-e{epoch}"
        now = self._clock.now()
        self._running[name] = InstanceInfo(instance=name, phase=phase, job_id=job_id, epoch=epoch, launched=now)
        return name

    def alive(self, instance: str) -> bool:
        return instance in self._running

    def terminate(self, instance: str) -> None:
        self._running.pop(instance, None)

    def list(self) -> Iterator[InstanceInfo]:
        return iter(list(self._running.values()))


class LocalStage(Stage):
    """As ``mangavid run`` does it: the run's item is opened by who starts it, dead workers are seen at once, and a
    worker that is told to stop leaves its token to the next.
    """

    name = "local"
    keep_token = True
    machine_arn = "arn:aws:states:local:000000000000:stateMachine:manga-pipeline"

    def __init__(self, scenario: Scenario, folder: Path, strands: Strands) -> None:
        super().__init__(scenario, folder, strands)
        books = Processes(strands)
        target = Target(
            config=self.config,
            jobs=SqliteJobs(folder / "jobs.db"),
            objects=FolderObjects(folder / "objects"),
            executions=JournalExecutions(self.journal, self.strands),
            callbacks=TokenClient(self.journal),
            instances=books,
            secrets=FakeSecrets(),
            clock=self.strands,
            source=self.shelf.seen,
            writer=lambda: self.writer,
            voice=lambda _engine: self.voice,
            publisher=lambda: self.publisher,
        )
        self.assemble(target, books, books.terminate)
        refused = self.refusals()

        def refuse(phase: Phase, job_id: str) -> None:
            if refused(phase, job_id):
                raise SpotCapacity("can't start a worker process")

        self.fleet.refuse = refuse

    def handlers(self) -> Mapping[str, Handler]:
        return function_handlers(self.target)

    def begin(self, name: str) -> str:
        stamp = self.strands.now()
        self.target.jobs.change(
            Change(
                key=keys.run_item(name),
                set={
                    "name": name,
                    "started_at": stamp.isoformat(timespec="microseconds"),
                    "quota_day": quota_day(stamp),
                    "sources": [],
                    "counted": True,
                },
            )
        )
        return self.target.executions.start(name, {})

    def watching(self, engine: Engine, name: str, arn: str) -> tuple[Callable[[Item], None], Callable[[], bool]]:
        watch = Watch(lambda _step: None)
        watch.follow(self.target, engine)
        watch.begin(name, arn)
        return watch.event, watch.tick

    def idle(self, seconds: float | None) -> None:
        """Long enough for the watch to look again."""
        super().idle(seconds)
        self.strands.sleep(0.3)

    @contextmanager
    def table_down(self) -> Iterator[None]:
        raise UpstreamUnavailable("the disk does not answer")
        yield

    def states_down(self) -> None:
        raise UpstreamUnavailable("the journal does not answer")


# --- AWS -------------------------------------------------------------------------------------------------------------


class AwsStage(Stage):
    """The AWS adapters, called through the functions' own shell; troubles are answers of AWS's."""

    name = "aws"
    machine_arn = MACHINE

    def __init__(self, scenario: Scenario, folder: Path, strands: Strands, world: AwsWorld, stack: ExitStack) -> None:
        super().__init__(scenario, folder, strands)
        self._service = world.service
        self._down = self._full = False
        self.assemble(
            dataclasses.replace(world.target, config=self.config),
            world.target.instances,
            self._power_off,
        )
        refused = self.refusals()
        self.fleet.refuse = lambda phase, job_id: setattr(self, "_full", refused(phase, job_id))
        self._hook(stack, "dynamodb", "before-call.dynamodb", self._table_answers)
        self._hook(stack, "ec2", "before-call.ec2.CreateFleet", self._fleet_answers)

    @staticmethod
    def _power_off(name: str) -> None:
        CLIENTS["ec2"].call("terminate_instances", InstanceIds=[name])

    @staticmethod
    def _hook(stack: ExitStack, service: str, event: str, answer: Callable[..., Any]) -> None:
        events = CLIENTS[service].client.meta.events
        events.register_first(event, answer)
        stack.callback(events.unregister, event, answer)

    def _table_answers(self, **_: object) -> Any:
        if not self._down:
            return None
        error = {"Code": "ServiceUnavailable", "Message": "try again"}
        return SimpleNamespace(status_code=503), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 503}}

    def _fleet_answers(self, **_: object) -> Any:
        if not self._full:
            return None
        error = {"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "none is left"}
        return SimpleNamespace(status_code=200), {"Errors": [error], "Instances": []}

    def handlers(self) -> Mapping[str, Handler]:
        def handler(name: str, module: str) -> Handler:
            handle = import_module(f"mangavid.states.{module}").handle
            called = shell.function(
                name, "", handle, open_target=lambda: self.target, clock=self.strands, out=io.StringIO()
            )
            return lambda event: called(event, None)

        return {PREFIX + name: handler(name, module) for name, module in MODULES.items()}

    def begin(self, name: str) -> str:
        return self.target.executions.start(name, {})

    def watching(self, engine: Engine, name: str, arn: str) -> tuple[Callable[[Item], None], Callable[[], bool]]:
        return lambda _event: None, lambda: False

    @contextmanager
    def table_down(self) -> Iterator[None]:
        self._down = True
        try:
            yield
        finally:
            self._down = False

    def states_down(self) -> None:
        self._service.fail_next = 1


@contextmanager
def local_stage(scenario: Scenario, folder: Path) -> Iterator[Stage]:
    strands = Strands(scenario.start)
    with closing(strands):
        yield LocalStage(scenario, folder, strands)


@contextmanager
def aws_stage(scenario: Scenario, folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        strands = Strands(scenario.start)
        config = Config(quota=Quota(daily=scenario.quota))
        world = stack.enter_context(aws_world(folder, config, strands))  # type: ignore[arg-type]
        stack.enter_context(closing(strands))
        yield AwsStage(scenario, folder, strands, world, stack)


STAGES: dict[str, Callable[[Scenario, Path], AbstractContextManager[Stage]]] = {"local": local_stage, "aws": aws_stage}
