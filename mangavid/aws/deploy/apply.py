"""A deploy: what is to stand on AWS is made, held against what stands there, and put in force.

    deploy = Deploy(site, clock, tell)
    plan = deploy.plan(deploy.wanted(cache))
    outcome = deploy.apply(plan)

Nothing is changed before ``apply`` but that ``plan`` puts the template and a change set there, which it takes away
again, where a stack stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec

from mangavid.aws.deploy import difference, failure, fast, preflight, releases
from mangavid.aws.deploy.code import CodeBucket, tls_only
from mangavid.aws.deploy.difference import Change, Property
from mangavid.aws.deploy.fast import Swapped
from mangavid.aws.deploy.progress import Step, Tell, silent
from mangavid.aws.deploy.releases import Release
from mangavid.aws.deploy.site import Site, commit
from mangavid.aws.deploy.stack import GOOD, STILLBORN, ChangeSet, Stack, State
from mangavid.aws.package import Package, Packages, build
from mangavid.aws.session import Refused
from mangavid.aws.stack import storage, template
from mangavid.aws.stack.code import CodeKeys
from mangavid.aws.stack.machine import MACHINE
from mangavid.aws.stack.parts import Json, logical
from mangavid.errors import ConfigError, DeployFailed, Locked, MangavidError, SourceNotFound
from mangavid.ports import Clock

#: Keys of packages, in whatever a template names them by.
_PACKAGE: Final = re.compile(r"code/[a-z0-9-]+-[0-9a-f]{64}\.zip")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to stand there. ``packages`` is empty for a release that is gone back to: its own are there."""

    template: Json
    packages: tuple[Package, ...] = ()
    again: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy would do."""

    stack: str
    #: Nothing stands there (or only what an earlier create left half-made).
    fresh: bool
    changes: tuple[Change, ...]
    #: What differs outside the resources.
    beside: tuple[Property, ...]
    uploads: tuple[Package, ...]
    #: Names of what ``--fast`` swapped and is put back to the template's.
    restores: tuple[str, ...]
    #: What an earlier stack left and is taken over.
    taken_over: tuple[str, ...]
    #: A change of the stack is under way, and this plan is against the template before it.
    busy: bool
    wanted: Wanted
    change_set: ChangeSet | None = None

    def __bool__(self) -> bool:
        return bool(self.changes or self.beside or self.uploads or self.restores)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    stack: str
    status: Literal["created", "updated", "unchanged", "swapped"]
    outputs: dict[str, str] = {}
    release: Release | None = None
    #: What ``--fast`` swapped, by name on AWS, and what it could not.
    swapped: tuple[str, ...] = ()
    left: tuple[Change, ...] = ()


def cache_folder(variables: Mapping[str, str] = os.environ) -> Path:
    """Where packages and their libraries are kept between deploys."""
    return Path(variables.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mangavid"


class Deploy:
    def __init__(self, site: Site, clock: Clock, tell: Tell = silent) -> None:
        self._site = site
        self._clock = clock
        self._tell = tell
        self.code = CodeBucket(site)
        self.stack = Stack(site, clock)

    def with_tell(self, tell: Tell) -> Deploy:
        """The same, told to another."""
        return Deploy(self._site, self._clock, tell)

    def wanted(self, cache: Path) -> Wanted:
        """What this mangavid makes of these settings.

        Raises ConfigError, BadInput, UpstreamUnavailable, StorageFull.
        """

        def told(name: str, what: str) -> None:
            self._tell(Step(what="pack", name=name, status=what))

        return self.wanted_of(build(cache / "libraries", cache / "packages", progress=told))

    def wanted_of(self, packages: Packages) -> Wanted:
        """What these packages make of these settings. Raises ConfigError."""
        return Wanted(template=self._template(packages), packages=packages.files)

    def again(self, release: Release) -> Wanted:
        """What a release had. Raises SourceNotFound where a part of it is gone."""
        made = releases.template_of(self.code, release)
        gone = sorted(set(_PACKAGE.findall(template.text(made))) - set(self.code.keys("code")))
        if gone:
            raise SourceNotFound(
                f"packages of release {release.id} are no longer in the bucket {self.code.name}: {', '.join(gone)}",
                hint="mangavid rollback lists the others",
            )
        return Wanted(template=made, again=release.id)

    def _template(self, packages: Packages) -> Json:
        keys = CodeKeys(
            bucket=self.code.name,
            functions={name: package.key for name, package in packages.functions.items()},
            bundle=packages.worker.key,
            bundle_sha256=packages.worker.sha256,
        )
        made = template.make(self._site.config, keys)
        # Written out: what an earlier stack left is taken over by a name, not by an expression that gives one.
        made["Resources"][storage.BUCKET]["Properties"]["BucketName"] = self._site.artifacts
        return made

    def plan(self, wanted: Wanted, *, settled: bool, judge: bool = True) -> Plan:
        """Hold it against what stands there.

        ``settled``: the stack is first brought to where a change may begin, which changes it. ``judge``: AWS is asked
        what it would replace. Raises DeployFailed, AuthError, ConfigError, UpstreamUnavailable.
        """
        state = self.stack.settle(self._tell) if settled else self.stack.state()
        fresh = not state.status or state.status in STILLBORN
        there = self.code.exists()
        before = None if fresh else self.stack.template()
        swapped = fast.read(self.code) if there and not fresh else Swapped()
        uploads = self.code.missing(wanted.packages) if there else list(wanted.packages)
        own = difference.changes(before, wanted.template)
        beside = difference.beside(before, wanted.template)
        change_set = None
        if judge and before is not None and there and state.changeable and (own or beside):
            change_set = self.stack.propose(self._put(wanted.template), create=False, importing=False)
            # AWS has the last word: what it takes for the same (an order of making, a description) is no change.
            own, beside = (difference.judged(own, change_set.told), beside) if change_set else ((), ())
        return Plan(
            stack=self._site.stack,
            fresh=fresh,
            changes=own,
            beside=beside,
            uploads=tuple(uploads),
            restores=tuple(self._restores(swapped, own)),
            taken_over=tuple(self._left()) if fresh else (),
            busy=state.busy,
            wanted=wanted,
            change_set=change_set,
        )

    def drop(self, plan: Plan) -> None:
        """Take the plan's change set away again."""
        if plan.change_set is not None:
            self.stack.discard(plan.change_set)

    def _restores(self, swapped: Swapped, changes: Sequence[Change]) -> list[str]:
        """What was swapped and CloudFormation will not touch."""
        touched = {one.id for one in changes}
        names = [name for name in swapped.functions if f"{logical(name)}Function" not in touched]
        machine = [self._site.names.machine] if swapped.definition and MACHINE not in touched else []
        return [*map(self._site.names.function, names), *machine]

    def _left(self) -> list[str]:
        """Names of the table and bucket that an earlier stack left."""
        names, clients, left = self._site.names, self._site.clients, []
        try:
            clients["dynamodb"].call("describe_table", expect=("ResourceNotFoundException",), TableName=names.table)
            left.append(names.table)
        except Refused:
            pass
        try:
            clients["s3"].call(
                "head_bucket",
                expect=("404", "403", "NoSuchBucket", "AccessDenied"),
                Bucket=self._site.artifacts,
                ExpectedBucketOwner=self._site.account,
            )
            left.append(self._site.artifacts)
        except Refused as refused:
            if refused.code not in ("404", "NoSuchBucket"):
                raise ConfigError(
                    f"the bucket {self._site.artifacts} belongs to another account",
                    hint="set aws.prefix to a name of your own",
                ) from refused
        return left

    def _put(self, made: Json) -> str:
        """The template in the bucket; where CloudFormation finds it."""
        text = template.text(made)
        key = releases.template_key(text)
        self.code.put_once(key, text.encode())
        return self.code.url(key)

    def apply(self, plan: Plan) -> Outcome:
        """Put it in force and follow that. Raises DeployFailed, AuthError, Locked, UpstreamUnavailable, Interrupted."""
        made = plan.wanted.template
        try:
            if plan.fresh or plan.uploads:
                self.code.ensure()
            if plan.uploads:
                self.code.upload(plan.uploads, self._tell)
        except BaseException:
            with suppress(MangavidError):
                self.drop(plan)
            raise
        changed = bool(plan.changes or plan.beside) and self._change(plan)
        state = self.stack.state()
        if not state.protected:
            self.stack.protect(True)
        if swapped := fast.read(self.code):
            # A stack that is new has none of it: it was swapped in one that is gone.
            fast.restore(self._site, self._clock, self.code, Swapped() if plan.fresh else swapped, made, self._tell)
        return Outcome(
            stack=self._site.stack,
            status="created" if plan.fresh else "updated" if changed or plan.restores else "unchanged",
            outputs=state.outputs,
            release=self._record(plan, changed),
        )

    def _change(self, plan: Plan) -> bool:
        """Whether CloudFormation changed anything."""
        change = plan.change_set or self._proposed(plan)
        if change is None:
            return False
        seen = self.stack.execute(change)
        ended = self.stack.follow(State(id=change.stack), self._tell, since=seen)
        if ended.status not in GOOD:
            self._close(plan)
            events = list(self.stack.events(change.stack, since=seen))
            raise failure.failed(self._site, ended.status or "DELETE_COMPLETE", ended.reason, events)
        return True

    def _proposed(self, plan: Plan) -> ChangeSet | None:
        url = self._put(plan.wanted.template)
        if plan.fresh:
            for role in preflight.ensure_service_roles(self._site.clients):
                self._tell(Step(what="note", detail=f"the role {role} was made: AWS launches Spot machines by it"))
            if self._site.artifacts in plan.taken_over:
                # Kept with its bucket; AWS takes over the bucket, and would find the policy's place taken.
                self._site.clients["s3"].call("delete_bucket_policy", Bucket=self._site.artifacts)
        try:
            return self.stack.propose(url, create=plan.fresh, importing=bool(plan.taken_over))
        except MangavidError:
            self._close(plan)
            raise

    def _close(self, plan: Plan) -> None:
        """A bucket that was to be taken over, and was not, is reached by TLS only again."""
        if plan.fresh and self._site.artifacts in plan.taken_over:
            self._site.clients["s3"].call(
                "put_bucket_policy", Bucket=self._site.artifacts, Policy=tls_only(self._site.artifacts)
            )

    def _record(self, plan: Plan, changed: bool) -> Release | None:
        """The release that is in force; also where an earlier deploy was killed before it could say so."""
        made = plan.wanted.template
        newest = next(iter(releases.listed(self.code, most=1)), None)
        if not changed and newest and newest.template == releases.template_key(template.text(made)):
            return newest
        now = self._clock.now()
        if newest:
            # Releases are in the order of their times, whatever another machine's clock said.
            now = max(now, datetime.fromisoformat(newest.time) + timedelta(seconds=1))
        return releases.record(
            self.code,
            made,
            now=now,
            commit=commit(),
            who=self._site.caller,
            again=plan.wanted.again,
        )

    def swap(self, wanted: Wanted) -> Outcome:
        """``--fast``: only code and definition.

        Raises DeployFailed where nothing stands there that could take them, or one of them does not; Locked while the
        stack is being changed.
        """
        state = self.stack.state()
        if state.busy:
            raise Locked(
                f"{self._site.stack} is being changed ({state.status}): what is swapped now could be lost in it",
                hint="mangavid deploy follows it to its end first",
            )
        if not state.changeable:
            raise DeployFailed(
                f"--fast swaps code in a stack that stands; {self._site.stack} is {state.status or 'not deployed'}",
                hint="mangavid deploy makes it" if not state.status else "mangavid deploy mends it",
            )
        before, earlier = self.stack.template(), fast.read(self.code)
        functions, definition, left = fast.sort_out(before, wanted.template)
        touched = {*functions, *earlier.functions}
        live = {name: fast.code_key(wanted.template, name) for name in touched}
        needed = [one for one in wanted.packages if one.key in live.values()]
        if missing := self.code.missing(needed) if needed else []:
            self.code.upload(missing, self._tell)
        redefined = definition or earlier.definition
        if redefined:
            fast.check_definition(self._site, wanted.template)
        if touched or redefined:
            # Before it is done: should this be killed half-way, the next deploy looks at all of them.
            fast.write(self.code, Swapped(functions=live, definition=redefined))
        swapped = [
            self._site.names.function(name) for name in fast.swap_functions(self._site, self._clock, live, self._tell)
        ]
        if redefined and fast.swap_definition(self._site, wanted.template, self._tell):
            swapped.append(self._site.names.machine)
        if touched or redefined:
            stays = {name: key for name, key in live.items() if key != fast.code_key(before, name)}
            fast.write(self.code, Swapped(functions=stays, definition=definition))
        return Outcome(
            stack=self._site.stack,
            status="swapped" if swapped else "unchanged",
            outputs=state.outputs,
            swapped=tuple(swapped),
            left=tuple(left),
        )
