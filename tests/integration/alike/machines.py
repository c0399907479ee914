"""Machines: what is launched is a strand that works by the real lease and uploader, until its act says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from mangavid import errors, keys, protocol
from mangavid.errors import ConditionFailed, LeaseLost, MangavidError, UpstreamUnavailable, told
from mangavid.models import Product, Rendered
from mangavid.ports import InstanceInfo, Instances, Phase, Target
from mangavid.products import render_inputs
from mangavid.quota import next_reset
from mangavid.workers.lease import Lease
from mangavid.workers.work import work
from tests.integration.alike.scenario import SEGMENTS, Act, Scenario
from tests.integration.alike.strands import Flag, Killed, Strand, Strands

#: A lease looks at its notice and its heartbeats this often here; on a machine it is every second.
_LOOK_SECONDS = 10.0
#: EC2 takes a machine away two minutes after its notice; one that is ended takes its time.
_NOTICE_SECONDS, _LINGERS_SECONDS = 120.0, 600.0


class Stage(Protocol):
    """What a machine sees of the target it is part of. ``keep_token``: as the lease has it."""

    scenario: Scenario
    strands: Strands
    target: Target
    happened: set[str]
    epochs: dict[str, int]
    wrongs: list[str]
    keep_token: bool

    def poke(self) -> None:
        """Somebody answered, or a machine is gone: who drives should look."""

    def stop(self, execution: str, how: str) -> None: ...


@dataclass
class Machine:
    name: str
    phase: Phase
    job_id: str
    epoch: int
    born: datetime
    act: Act
    alive: bool = True
    strands: list[Strand] = field(default_factory=list)
    #: Why it is being taken away.
    notice: str | None = None
    lease: MachinesLease | None = None
    #: None of its strands goes on before; of a silent machine, ever.
    frozen: datetime | None = None
    silent: bool = False
    #: Step Functions can't be reached from it before.
    mute: datetime | None = None
    table_fails: bool = False


class Fleet:
    """``ports.Instances``. ``inner`` is what keeps the books of a target; what it launches begins to work here."""

    def __init__(self, stage: Stage, inner: Instances, power_off: Callable[[str], None]) -> None:
        self._stage = stage
        self._inner = inner
        self._power_off = power_off
        self.machines: dict[str, Machine] = {}
        self.refuse: Callable[[Phase, str], None] = lambda _phase, _job: None

    # --- the port ---

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        self.refuse(phase, job_id)
        name = self._inner.launch(phase, job_id, epoch)
        known = self.machines.get(name)
        if known is None or not known.alive:
            self._boot(name, phase, job_id, epoch)
        return name

    def alive(self, instance: str) -> bool:
        return self._inner.alive(instance)

    def terminate(self, instance: str) -> None:
        self._inner.terminate(instance)
        machine = self.machines.get(instance)
        if machine is None or not machine.alive:
            return
        machine.alive = False
        self._stage.poke()
        if machine.act.what == "zombie":
            self._later(_LINGERS_SECONDS, lambda: self._kill(machine))
        else:
            self._kill(machine)

    def list(self) -> Iterator[InstanceInfo]:
        """moto dates machines by real time."""
        for one in self._inner.list():
            yield msgspec.structs.replace(one, launched=self.machines[one.instance].born)

    # --- inside ---

    @property
    def current(self) -> Machine | None:
        """The machine whose strand runs."""
        strand = self._stage.strands.running
        return next((one for one in self.machines.values() if strand in one.strands), None)

    def _boot(self, name: str, phase: Phase, job_id: str, epoch: int) -> None:
        before = sum(one.phase == phase and one.job_id == job_id for one in self.machines.values())
        acts = acts_of(self._stage, phase, job_id)
        act = acts[before] if before < len(acts) else Act("", "")
        # A process that is started anew under the same name is another machine.
        if name in self.machines:
            self.machines[f"{name} until {self._stage.strands.now()}"] = self.machines[name]
        machine = Machine(name, phase, job_id, epoch, self._stage.strands.now(), act)
        self.machines[name] = machine
        machine.strands.append(self._stage.strands.spawn(name, lambda: self._work(machine)))

    def _work(self, machine: Machine) -> None:
        self._stage.strands.sleep(self._stage.scenario.boot_seconds)
        lease = machine.lease = MachinesLease(self._stage, self, machine)
        try:
            lease.point("boot")
            if machine.phase == "render":
                _render(self._stage, lease)
            else:
                work(self._stage.target, lease, log=self._bug)
        except UpstreamUnavailable:
            # Step Functions could not be told for a long time: the process ends with that.
            return
        finally:
            self.off(machine)

    def _bug(self, text: str) -> None:
        # It logs as well that Step Functions could not be reached.
        if "UpstreamUnavailable" not in text.splitlines()[-1]:
            self._stage.wrongs.append(text)

    def off(self, machine: Machine) -> None:
        """It powers off, or dies."""
        if machine.alive:
            machine.alive = False
            self._power_off(machine.name)
            self._stage.poke()
        self._kill(machine)

    def _kill(self, machine: Machine) -> None:
        for strand in machine.strands:
            strand.kill()

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        def wait() -> None:
            self._stage.strands.sleep(seconds)
            action()

        self._stage.strands.spawn("later", wait)

    def act(self, machine: Machine, lease: MachinesLease) -> None:
        """Do what the machine was drawn to do."""
        stage, strands, act = self._stage, self._stage.strands, machine.act
        stage.happened.add(f"{machine.phase} {act.what}")
        match act.what:
            case "dies":
                self.off(machine)
                raise Killed
            case "silent":
                # The machine stands, and nothing on it does.
                machine.silent = True
                strands.park(None)
            case "drain":
                machine.notice = "Spot notice"
                self._later(_NOTICE_SECONDS, lambda: self.off(machine))
            case "fails":
                raise getattr(errors, act.detail)(f"{act.detail} in {machine.job_id}")
            case "hangs":
                strands.park(None)
            case "zombie":
                machine.frozen = strands.now() + timedelta(seconds=float(act.detail))
                strands.park(machine.frozen)
            case "mute":
                machine.mute = strands.now() + timedelta(seconds=float(act.detail))
            case "slow":
                strands.sleep(float(act.detail))
            case "table":
                machine.table_fails = True
            case "midnight":
                until = next_reset(strands.now()) + timedelta(minutes=5)
                while strands.now() < until:
                    strands.sleep(300)
                    lease.progressed()
            case "stop":
                stage.stop(str(lease.job().execution), act.detail)


def acts_of(stage: Stage, phase: Phase, job_id: str) -> tuple[Act, ...]:
    found = next(one for one in stage.scenario.chapters if chapter_job(one.name) == job_id)
    return found.renderers if phase == "render" else found.uploaders


def chapter_job(name: str) -> str:
    """The job of the shelf's chapter of this name."""
    return keys.job_id(name, "Kệ", name, "vi")


class MachinesLease(Lease):
    """The real lease; its heartbeat thread is a strand, and the machine acts at the points it passes."""

    def __init__(self, stage: Stage, fleet: Fleet, machine: Machine) -> None:
        super().__init__(
            stage.target,
            machine.job_id,
            machine.phase,
            machine.epoch,
            owner=machine.name,
            notice=lambda: machine.notice,
            on_lost=lambda: fleet.off(machine),
            keep_token=stage.keep_token,
        )
        self._stage = stage
        self._fleet = fleet
        self._machine = machine
        self._stop = _Stop(stage.strands, machine)  # type: ignore[assignment]

    def point(self, name: str) -> None:
        if self._machine.act.at == name:
            self._fleet.act(self._machine, self)

    def __enter__(self) -> MachinesLease:
        beating = self._stage.strands.spawn(f"{self._machine.name} heartbeat", self._keep)
        self._machine.strands.append(beating)
        self._thread = beating  # type: ignore[assignment]
        self.point("claimed")
        return self

    def checkpoint(self, done: int, total: int) -> None:
        super().checkpoint(done, total)
        self._fenced("checkpoint")
        self.point(f"checkpoint-{done}")

    def commit(self, *changes: Any) -> None:
        self.point("commit")
        super().commit(*changes)
        if self.phase == "render":
            self._fenced("commit")
        self.point("committed")

    def _answer(self, send: Callable[[], None]) -> None:
        super()._answer(send)
        self.point("answered")

    def _fenced(self, what: str) -> None:
        """A write that the table took was of the worker of the epoch."""
        epoch = self._stage.epochs[keys.job_item(self.job_id)]
        if epoch != self.epoch:
            self._stage.wrongs.append(f"a {what} of {self.job_id} at epoch {epoch} by a worker of epoch {self.epoch}")


class _Stop(Flag):
    """What a heartbeat thread waits on; where the machine is frozen it is frozen with it."""

    def __init__(self, strands: Strands, machine: Machine) -> None:
        super().__init__(strands, coarse=_LOOK_SECONDS)
        self._clock = strands
        self._machine = machine

    def wait(self, timeout: float) -> bool:
        told = super().wait(timeout)
        if self._machine.silent:
            self._clock.park(None)
        while self._machine.frozen is not None and self._clock.now() < self._machine.frozen:
            self._clock.park(self._machine.frozen)
        return told


class Callbacks:
    """``ports.Callbacks`` as machines reach it. ``unavailable`` makes the next call fail as it does on the target."""

    def __init__(
        self, stage: Stage, target: Target, fleet: Callable[[], Fleet], unavailable: Callable[[], None]
    ) -> None:
        self._stage = stage
        self._inner = target.callbacks
        self._fleet = fleet
        self._unavailable = unavailable

    def success(self, token: str, output: Mapping[str, Any]) -> None:
        with self._reached():
            self._inner.success(token, output)

    def failure(self, token: str, error: str, cause: str) -> None:
        with self._reached():
            self._inner.failure(token, error, cause)

    def heartbeat(self, token: str) -> None:
        with self._reached():
            self._inner.heartbeat(token)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        machine = self._fleet().current
        if machine and machine.mute and self._stage.strands.now() < machine.mute:
            self._unavailable()
        try:
            yield
        finally:
            self._stage.poke()


class _Drained(Exception):
    pass


def _render(stage: Stage, lease: MachinesLease) -> None:
    """``workers.render.render`` with small texts for segments and files."""
    target = stage.target
    try:
        job = lease.claim()
        if job.rendered is None or job.rendered.inputs != render_inputs(job, target.config):
            with lease:
                _segments(stage, lease)
                _finish(stage, lease)
        lease.succeed()
    except LeaseLost:
        return
    except _Drained:
        lease.give_up("the renderer's machine is being taken away")
    except MangavidError as problem:
        lease.fail(type(problem).__name__, told(problem))


def _segments(stage: Stage, lease: MachinesLease) -> None:
    objects, job = stage.target.objects, lease.job()
    inputs = [keys.digest(job.script_key, job.speech_key, n) for n in range(SEGMENTS)]
    stored = {found[0] for one in objects.list(f"jobs/{job.job_id}/render/") if (found := keys.read_segment(one.key))}
    done = len(stored.intersection(inputs))
    lease.checkpoint(done, SEGMENTS)
    for one in inputs:
        if one in stored:
            continue
        if lease.draining.is_set():
            raise _Drained
        stage.strands.sleep(stage.scenario.segment_seconds)
        if lease.lost.is_set():
            raise LeaseLost("lost while rendering")
        lease.progressed()
        with suppress(ConditionFailed):
            objects.put(keys.segment(job.job_id, one, keys.digest(one) * 4), one.encode(), if_absent=True)
        done += 1
        lease.checkpoint(done, SEGMENTS)
    if lease.draining.is_set():
        raise _Drained


def _finish(stage: Stage, lease: MachinesLease) -> None:
    target, job_id = stage.target, lease.job_id
    inputs = render_inputs(lease.job(), target.config)

    def put(kind: str) -> Product:
        key = keys.final(job_id, inputs, lease.epoch, kind + keys.FILES[kind])
        return target.objects.put(key, f"{kind} of {job_id}".encode())

    lease.check()
    rendered = Rendered(
        inputs=inputs,
        video=put("video"),
        captions=put("captions"),
        thumbnail=put("thumbnail"),
        metadata=put("metadata"),
        seconds=10.0,
        lufs=-14.0,
        epoch=lease.epoch,
        segments=SEGMENTS,
    )
    stamp = target.clock.now().isoformat(timespec="microseconds")
    lease.commit(protocol.commit_render(job_id, lease.epoch, msgspec.to_builtins(rendered), stamp))
