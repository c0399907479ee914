"""All of it taken away, but for what is kept: finished videos with their bucket, the jobs table, the secrets.

    destroy = Destroy(site, clock, tell)
    there = destroy.look()
    if there.work(data=False):
        gone = destroy.destroy(data=False)

First what would start something new, then what works, then what that has made, the stack, and last its code: nothing
that is deleted is made again meanwhile, and what a killed destroy needs to be run again is there. Each step looks at
what is there itself, so that it can be killed anywhere and run again; fault points ``destroy.…`` follow each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import msgspec

from mangavid import faults
from mangavid.aws.deploy.progress import Step, Tell, silent
from mangavid.aws.deploy.site import Site
from mangavid.aws.deploy.stack import Stack
from mangavid.aws.instances import ROLES
from mangavid.aws.library import LIBRARY
from mangavid.aws.names import PREFIX_TAG, ROLE_TAG
from mangavid.aws.secrets import SsmSecrets
from mangavid.aws.session import Refused
from mangavid.errors import AuthError, ConfigError, Interrupted, UpstreamUnavailable
from mangavid.keys import FILES
from mangavid.ports import Clock

#: USD a month for a GB, as us-east-1 lists them: S3 Standard; a DynamoDB table with its continuous backups.
BUCKET_GB: Final = 0.023
TABLE_GB: Final = 0.25 + 0.20

_PAGE: Final = 1000
_ENDED_AT_ONCE: Final = 500
_GONE_BUCKET = ("404", "NoSuchBucket")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Seconds that one step is waited for, and machines that are on their way out.
_PATIENCE, _SHUTTING_DOWN = 900.0, 180.0
#: What UpdateSchedule takes of what GetSchedule gives: what is left out it sets back.
_SCHEDULE = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "Target",
)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a bucket, earlier versions and delete markers too: how many, and bytes."""

    objects: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Content:
        return Content(objects=self.objects + 1, bytes=self.bytes + size)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket that is there. ``passing``: all but finished videos; ``uploads``: begun and never completed."""

    name: str
    passing: Content = Content()
    #: What lies below library/, of the passing: a person put it there.
    library: Content = Content()
    final: Content = Content()
    #: Jobs that have a finished video.
    videos: int = 0
    uploads: int = 0


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """``items`` and ``bytes`` are those of some hours ago: DynamoDB counts no more often."""

    name: str
    items: int = 0
    bytes: int = 0


class There(msgspec.Struct, frozen=True, kw_only=True):
    """What there is. ``status`` is the stack's, empty where there is none; ``secrets`` are names below the prefix."""

    stack: str
    status: str = ""
    executions: int = 0
    machines: tuple[str, ...] = ()
    artifacts: Bucket | None = None
    code: Bucket | None = None
    table: Table | None = None
    secrets: tuple[str, ...] = ()

    def work(self, *, data: bool) -> bool:
        """Whether there is something to do."""
        left = self.artifacts is not None and bool(self.artifacts.passing.objects or self.artifacts.uploads)
        works = bool(self.status or self.executions or self.machines or self.code or left)
        return works or (data and self.data)

    @property
    def data(self) -> bool:
        """Whether there is something that only ``data`` deletes."""
        return bool(self.artifacts or self.table or self.secrets)

    @property
    def monthly(self) -> float:
        """What keeping bucket and table costs, in USD a month, about. Parameters of SSM are free."""
        final = self.artifacts.final.bytes if self.artifacts else 0
        return (final * BUCKET_GB + (self.table.bytes if self.table else 0) * TABLE_GB) / 1e9


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted by this destroy, and what is there now."""

    status: Literal["destroyed", "nothing"]
    stack: str
    left: There
    executions: int = 0
    machines: int = 0
    #: Versions of objects, delete markers among them.
    objects: int = 0
    bytes: int = 0
    secrets: int = 0


class Destroy:
    def __init__(self, site: Site, clock: Clock, tell: Tell = silent) -> None:
        self._site = site
        self._clock = clock
        self._tell = tell
        self._aws = site.clients
        self._stack = Stack(site, clock)
        self._executions: set[str] = set()
        self._machines: set[str] = set()
        self._ended: set[str] = set()
        self._deleted = Content()
        self._secrets = 0
        self._unscheduled = False

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self) -> There:
        """Changes nothing. Every object is listed, none is kept. Raises ConfigError for a bucket of somebody else's."""
        site = self._site
        with ThreadPoolExecutor(7, thread_name_prefix="look") as pool:
            state, executions = pool.submit(self._stack.state), pool.submit(lambda: len(self._running()))
            machines, secrets = pool.submit(self._living), pool.submit(self._parameters)
            artifacts, code = pool.submit(self._bucket, site.artifacts), pool.submit(self._bucket, site.code)
            table = pool.submit(self._table)
            found = table.result()
            return There(
                stack=site.stack,
                status=state.result().status,
                executions=executions.result(),
                machines=tuple(sorted(machines.result())),
                artifacts=artifacts.result(),
                code=code.result(),
                table=None
                if found is None
                else Table(
                    name=site.names.table, items=found.get("ItemCount", 0), bytes=found.get("TableSizeBytes", 0)
                ),
                secrets=tuple(secrets.result()),
            )

    def _bucket(self, name: str) -> Bucket | None:
        if not self._owned(name):
            return None
        try:
            return self._counted(name)
        except Refused:  # deleted a moment ago, and S3's answers differ yet
            return None

    def _counted(self, name: str) -> Bucket:
        passing, library, final, videos, last = Content(), Content(), Content(), 0, ""
        for page in self._pages(name):
            for one in page:
                key, size = one["Key"], one.get("Size", 0)
                if not is_final(key):
                    passing = passing.plus(size)
                    library = library.plus(size) if key.startswith(LIBRARY) else library
                    continue
                final = final.plus(size)
                job = key.split("/")[1]
                # In the order of keys: those of a job follow each other.
                if job != last and "Size" in one and one["IsLatest"] and key.endswith(f"/video{FILES['video']}"):
                    videos, last = videos + 1, job
            self._tell(
                Step(
                    what="delete",
                    name=name,
                    status="begun",
                    detail=f"{passing.objects + final.objects:,} objects are counted",
                )
            )
        uploads = sum(1 for _ in self._uploads(name))
        return Bucket(name=name, passing=passing, library=library, final=final, videos=videos, uploads=uploads)

    def _owned(self, name: str) -> bool:
        """Whether the bucket is there. Raises ConfigError where it is somebody else's."""
        try:
            self._s3("head_bucket", name, expect=(*_GONE_BUCKET, "403", "AccessDenied"))
        except Refused as refused:
            if refused.code in _GONE_BUCKET:
                return False
            raise ConfigError(
                f"the bucket {name} belongs to another account, or these credentials may not see it",
                hint="are the profile and the setting aws.prefix the right ones?",
            ) from refused
        return True

    def _s3(self, operation: str, bucket: str, *, expect: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        """Refused by S3 itself where the bucket is another account's."""
        return self._aws["s3"].call(
            operation, expect=expect, Bucket=bucket, ExpectedBucketOwner=self._site.account, **more
        )

    def _pages(self, bucket: str) -> Iterator[list[Mapping[str, Any]]]:
        """All versions and delete markers, up to 1000 at once, in the order of keys.

        A page is only given out when the one after it is there: what is then deleted is no mark to go on from.
        """
        marks: dict[str, Any] = {}
        before: list[Mapping[str, Any]] | None = None
        while True:
            answer = self._s3("list_object_versions", bucket, expect=_GONE_BUCKET, MaxKeys=_PAGE, **marks)
            if before is not None:
                yield before
            both = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            before = sorted(both, key=lambda one: str(one["Key"]))
            if not answer.get("IsTruncated"):
                yield before
                return
            marks = {
                ask: answer[told]
                for ask, told in (("KeyMarker", "NextKeyMarker"), ("VersionIdMarker", "NextVersionIdMarker"))
                if answer.get(told)
            }

    def _uploads(self, bucket: str) -> Iterator[Mapping[str, Any]]:
        marks: dict[str, Any] = {}
        while True:
            answer = self._s3("list_multipart_uploads", bucket, expect=_GONE_BUCKET, **marks)
            yield from answer.get("Uploads", ())
            if not answer.get("IsTruncated"):
                return
            marks = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer.get("NextUploadIdMarker", "")}

    def _running(self) -> list[str]:
        """ARNs of the state machine's executions that run."""
        site = self._site
        machine = f"arn:aws:states:{site.region}:{site.account}:stateMachine:{site.names.machine}"
        found = self._aws["stepfunctions"].pages(
            "list_executions",
            "executions",
            ask="nextToken",
            told="nextToken",
            expect=("StateMachineDoesNotExist",),
            stateMachineArn=machine,
            statusFilter="RUNNING",
        )
        try:
            return [str(one["executionArn"]) for one in found]
        except Refused:
            return []

    def _living(self) -> dict[str, str]:
        """This channel's machines that are not terminated yet: id → state."""
        wanted = {
            f"tag:{PREFIX_TAG}": [self._site.names.prefix],
            f"tag:{ROLE_TAG}": sorted(ROLES.values()),
            "instance-state-name": ["pending", "running", "stopping", "stopped", "shutting-down"],
        }
        found = self._aws["ec2"].pages(
            "describe_instances",
            "Reservations",
            ask="NextToken",
            told="NextToken",
            Filters=[{"Name": name, "Values": values} for name, values in wanted.items()],
        )
        return {one["InstanceId"]: one["State"]["Name"] for reservation in found for one in reservation["Instances"]}

    def _table(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._aws["dynamodb"].call(
                "describe_table", expect=("ResourceNotFoundException",), TableName=self._site.names.table
            )["Table"]
        except Refused:
            return None
        return found

    def _parameters(self) -> list[str]:
        return list(SsmSecrets(self._aws["ssm"], self._site.names.prefix).names())

    # --- destroying --------------------------------------------------------------------------------------------------

    def destroy(self, *, data: bool) -> Gone:
        """Take it away; with ``data`` also what is kept else.

        Raises DeployFailed (the stack is not deleted: why), AuthError, UpstreamUnavailable, Interrupted.
        """
        try:
            self._take_away()
            if data:
                self._take_data()
        except Interrupted as stopped:
            self._warn()
            raise Interrupted(str(stopped), hint="mangavid destroy goes on with it") from None
        except BaseException:
            self._warn()
            raise
        return Gone(
            status="destroyed",
            stack=self._site.stack,
            left=self.look(),
            executions=len(self._executions),
            machines=len(self._machines),
            objects=self._deleted.objects,
            bytes=self._deleted.bytes,
            secrets=self._secrets,
        )

    def _take_away(self) -> None:
        site = self._site
        state = self._stack.rest(self._tell)
        faults.point("destroy.settled")
        self._unschedule()
        faults.point("destroy.unscheduled")
        self._stop()
        faults.point("destroy.stopped")
        self._end()
        faults.point("destroy.ended")
        if self._owned(site.artifacts):
            self._empty(site.artifacts, but=is_final)
        faults.point("destroy.emptied")
        if state.status not in ("", "DELETE_COMPLETE"):
            self._stack.delete(state, self._tell)
        self._unscheduled = False
        faults.point("destroy.deleted")
        # A function that was at work when its execution was stopped may have launched one more.
        self._end()
        if self._owned(site.code):
            self._drop(site.code)
        faults.point("destroy.code")

    def _take_data(self) -> None:
        if self._owned(self._site.artifacts):
            self._drop(self._site.artifacts)
        faults.point("destroy.videos")
        self._drop_table()
        faults.point("destroy.table")
        for name in self._parameters():
            parameter = f"/{self._site.names.prefix}/{name}"
            try:
                self._aws["ssm"].call("delete_parameter", expect=("ParameterNotFound",), Name=parameter)
            except Refused:
                continue
            self._secrets += 1
            self._done(parameter)
        faults.point("destroy.secrets")

    def _unschedule(self) -> None:
        """No run begins by itself any more."""
        if schedule(self._site) == "ENABLED" and schedule(self._site, "DISABLED"):
            self._unscheduled = True
            self._done(f"{self._site.names.prefix}-run", "the schedule is off: no run begins any more")

    def _warn(self) -> None:
        """What was begun is not over: what of it a deploy would not mend."""
        if self._unscheduled:
            self._tell(
                Step(
                    what="note",
                    detail="the schedule is off: should the stack stay after all, mangavid drift --revert turns it on",
                )
            )

    def _stop(self) -> None:
        """Stop what runs, until nothing does: some begin while others are stopped."""

        def none_runs() -> bool:
            running = self._running()
            for arn in running:
                try:
                    self._aws["stepfunctions"].call(
                        "stop_execution",
                        expect=("ExecutionDoesNotExist",),
                        executionArn=arn,
                        error="Destroyed",
                        cause="mangavid destroy",
                    )
                except Refused:
                    continue
                if arn not in self._executions:
                    self._executions.add(arn)
                    self._done(arn.rpartition(":")[2], "stopped")
            return not running

        if not self._until(none_runs, _PATIENCE):
            raise UpstreamUnavailable("executions of the state machine still run although they were stopped")

    def _end(self) -> None:
        """End this channel's machines, and wait until they are: their network goes with the stack."""
        left: dict[str, str] = {}

        def none_lives() -> bool:
            nonlocal left
            left = self._living()
            alive = sorted(id for id, state in left.items() if state != "shutting-down")
            for begin in range(0, len(alive), _ENDED_AT_ONCE):
                batch = alive[begin : begin + _ENDED_AT_ONCE]
                try:
                    self._aws["ec2"].call(
                        "terminate_instances", expect=("InvalidInstanceID.NotFound",), InstanceIds=batch
                    )
                except Refused:
                    continue
                for id in batch:
                    if id not in self._machines:
                        self._machines.add(id)
                        self._begun(id, "is ended")
            for id in self._machines - left.keys() - self._ended:
                self._ended.add(id)
                self._done(id, "ended")
            return not left

        if self._until(none_lives, _SHUTTING_DOWN):
            return
        if any(state != "shutting-down" for state in left.values()):
            raise UpstreamUnavailable(f"machines do not end: {', '.join(sorted(left))}")
        self._tell(Step(what="note", detail=f"still shutting down: {', '.join(sorted(left))}"))

    def _empty(self, bucket: str, *, but: Callable[[str], bool] = lambda _key: False) -> None:
        """Delete all versions and markers of all objects ``but`` some, and what was uploaded in part."""
        gone = Content()
        self._begun(bucket, "is emptied")
        for upload in self._uploads(bucket):
            wanted = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
            try:
                self._s3("abort_multipart_upload", bucket, expect=("NoSuchUpload",), **wanted)
            except Refused:
                continue
        for page in self._pages(bucket):
            some = [one for one in page if not but(one["Key"])]
            if not some:
                continue
            self._delete_objects(bucket, some)
            for one in some:
                gone = gone.plus(one.get("Size", 0))
            self._begun(bucket, f"{gone.objects:,} objects deleted")
            faults.point("destroy.page", bucket)
        deleted = self._deleted
        self._deleted = Content(objects=deleted.objects + gone.objects, bytes=deleted.bytes + gone.bytes)
        if gone.objects:
            self._done(bucket, f"{gone.objects:,} objects and earlier versions deleted, {gone.bytes / 1e6:.1f} MB")

    def _delete_objects(self, bucket: str, some: list[Mapping[str, Any]]) -> None:
        named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in some]
        for refused in self._s3("delete_objects", bucket, Delete={"Objects": named, "Quiet": True}).get("Errors", ()):
            kind = AuthError if refused.get("Code") == "AccessDenied" else UpstreamUnavailable
            raise kind(f"{bucket}: {refused.get('Key')} is not deleted: {refused.get('Code')} {refused.get('Message')}")

    def _drop(self, bucket: str) -> None:
        """Empty and delete a bucket."""

        def is_gone() -> bool:
            try:
                self._empty(bucket)
                self._s3("delete_bucket", bucket, expect=("BucketNotEmpty", *_GONE_BUCKET))
            except Refused as refused:
                return refused.code in _GONE_BUCKET
            return True

        if not self._until(is_gone, _PATIENCE):
            raise UpstreamUnavailable(f"the bucket {bucket} is filled again and again: what writes there?")
        self._done(bucket)

    def _drop_table(self) -> None:
        """Each look tells what is to be done next."""
        dynamodb, name = self._aws["dynamodb"], self._site.names.table
        was = False

        def is_gone() -> bool:
            nonlocal was
            found = self._table()
            if found is None:
                return True
            if found["TableStatus"] != "ACTIVE":
                was = True
                return False
            busy = ("ResourceInUseException", "ResourceNotFoundException", "LimitExceededException")
            try:
                if found.get("DeletionProtectionEnabled"):
                    dynamodb.call("update_table", expect=busy, TableName=name, DeletionProtectionEnabled=False)
                    faults.point("destroy.unprotected")
                else:
                    dynamodb.call("delete_table", expect=busy, TableName=name)
                    was = True
                    self._begun(name, "is deleted")
            except Refused:
                pass
            return False

        if not self._until(is_gone, _PATIENCE):
            raise UpstreamUnavailable(f"the table {name} is not deleted yet")
        if was:
            self._done(name)

    def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Whether it came to that within so many seconds; looked at with growing pauses."""
        began, pause = self._clock.monotonic(), _FIRST_PAUSE
        while not done():
            if self._clock.monotonic() - began > seconds:
                return False
            self._clock.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)
        return True

    def _begun(self, name: str, detail: str) -> None:
        self._tell(Step(what="delete", name=name, status="begun", detail=detail))

    def _done(self, name: str, detail: str = "") -> None:
        self._tell(Step(what="delete", name=name, status="done", detail=detail))


def schedule(site: Site, state: str = "") -> str:
    """The daily schedule's state, ``ENABLED`` or ``DISABLED``, once set to ``state``; empty where there is none."""
    prefix, gone = site.names.prefix, ("ResourceNotFoundException",)
    try:
        found = site.clients["scheduler"].call("get_schedule", expect=gone, GroupName=prefix, Name=f"{prefix}-run")
        if not state:
            return str(found.get("State", ""))
        same = {field: found[field] for field in _SCHEDULE if field in found}
        site.clients["scheduler"].call("update_schedule", expect=gone, **same, State=state)
    except Refused:
        return ""
    return state


def is_final(key: str) -> bool:
    """Whether an object is part of a finished video: ``jobs/<job>/final/…``."""
    parts = key.split("/", 3)
    return len(parts) == 4 and parts[0] == "jobs" and parts[2] == "final"
