"""``mangavid destroy``: take the pipeline on AWS away again, but for the videos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import ask, output
from mangavid.cli.deploy import Yes
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.aws.deploy.destroy import Bucket, Gone, There
    from mangavid.aws.deploy.site import Site
    from mangavid.cli.planview import Line


def destroy(
    ctx: typer.Context,
    data: Annotated[
        bool,
        typer.Option(
            "--delete-data", help="Also finished videos, the jobs table and the secrets. Asked about by itself."
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Take the pipeline on AWS away again. Finished videos, the jobs table and the secrets stay.

    What there is is shown, and after a yes the schedule is turned off, runs are stopped, machines ended, buckets
    emptied and the stack deleted. It can be stopped and run again at any moment.
    """
    from mangavid.aws.deploy import site
    from mangavid.aws.deploy.destroy import Destroy, Gone
    from mangavid.cli import planview
    from mangavid.cli.deployview import view
    from mangavid.clock import SystemClock

    clock = SystemClock()
    place = site.find(session(ctx, config, home).settings().config, network=False)
    with view(as_json=as_json, monotonic=clock.monotonic) as seen:
        there = Destroy(place, clock, seen.step).look()
    if not there.work(data=data):
        _tell(Gone(status="nothing", stack=place.stack, left=there), place, as_json=as_json)
        return
    if not as_json:
        planview.write(list(_lines(there, data=data)), data=False)
    if not yes:
        _agree(there, place, data=data)
    with view(as_json=as_json, monotonic=clock.monotonic) as seen:
        gone = Destroy(place, clock, seen.step).destroy(data=data)
    _tell(gone, place, as_json=as_json)


def _agree(there: There, place: Site, *, data: bool) -> None:
    """What comes back with the next deploy is asked about once, what does not by itself."""
    where = f"in {place.region}, account {place.account}"
    unasked = f"mangavid destroy{' --delete-data' if data else ''} --yes"
    if there.work(data=False):
        ask.agree(
            f"Destroy {place.stack} {where}?",
            doing="mangavid destroy",
            undone="nothing was destroyed",
            unasked=unasked,
            look="mangavid destroy asks again",
        )
    if data and there.data:
        ask.agree(
            f"Delete {_data(there)} of {place.stack} {where} as well? They can't be had back.",
            doing="mangavid destroy",
            undone="nothing was destroyed",
            unasked=unasked,
            look="mangavid destroy leaves them where they are",
        )


def _lines(there: There, *, data: bool) -> Iterator[Line]:
    """What is deleted, then what stays."""
    for what, more in _passing(there):
        yield [("  - ", "red"), (what, ""), (f"  {more}" if more else "", "dim")]
    mark = ("  - ", "bold red") if data else ("  = ", "green")
    for what, more in _lasting(there):
        yield [
            mark,
            (what, "bold red" if data else ""),
            (f"  {more}" if data else f"  kept{more and ': '}{more}", "dim"),
        ]


def _passing(there: There) -> Iterator[tuple[str, str]]:
    if there.status:
        yield f"the stack {there.stack}", there.status.lower().replace("_", " ")
    if there.executions:
        yield _count(there.executions, "run"), "stopped where it is"
    if there.machines:
        yield _count(len(there.machines), "machine"), ", ".join(there.machines[:8])
    if (bucket := there.artifacts) and bucket.passing.objects:
        yield _content(bucket), bucket.name
        if bucket.library.objects:
            yield (
                f"  among them {_count(bucket.library.objects, 'object')} of its library/",
                "chapters that were put there: keep a copy",
            )
    if there.code:
        yield _content(there.code), f"{there.code.name}, with the bucket: code and releases"


def _lasting(there: There) -> Iterator[tuple[str, str]]:
    if bucket := there.artifacts:
        videos = _count(bucket.videos, "finished video")
        yield f"{videos}, {bucket.final.bytes / 1e6:,.1f} MB", f"the bucket {bucket.name}"
    if there.table:
        yield f"the jobs table, {_count(there.table.items, 'item')}", there.table.name
    if there.secrets:
        yield _count(len(there.secrets), "secret"), ", ".join(there.secrets)


def _content(bucket: Bucket) -> str:
    found = bucket.passing
    return f"{_count(found.objects, 'object')} and earlier versions, {found.bytes / 1e6:,.1f} MB"


def _data(there: There) -> str:
    """What ``--delete-data`` deletes besides, as the middle of a question."""
    parts = []
    if there.artifacts:
        parts.append(_count(there.artifacts.videos, "finished video"))
    if there.table:
        parts.append("the jobs table")
    if there.secrets:
        parts.append(_count(len(there.secrets), "secret"))
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _tell(gone: Gone, place: Site, *, as_json: bool) -> None:
    """What there is now, what it costs, and what to type next."""
    if as_json:
        import msgspec

        output.write_json({**msgspec.to_builtins(gone), "usd_a_month": round(gone.left.monthly, 4)})
        return
    for what, more in _lasting(gone.left):
        output.write(f"kept: {what} ({more})")
    if gone.status == "nothing":
        output.say(f"{gone.stack}: there is nothing to destroy in {place.region}, account {place.account}.")
    else:
        output.say(f"{gone.stack} is destroyed.")
    if not gone.left.data:
        output.say("To make it anew: mangavid deploy")
        return
    if gone.left.artifacts and gone.left.artifacts.videos:
        output.say(f"The bucket itself deletes each video {place.config.aws.video_days} days after it was made.")
    output.say(f"To keep that costs {_price(gone.left.monthly)} a month by the list prices of us-east-1.")
    output.say("A new mangavid deploy takes it over. To delete that too: mangavid destroy --delete-data")


def _price(usd: float) -> str:
    return "nothing" if usd == 0 else "less than 0.01 USD" if usd < 0.01 else f"about {usd:.2f} USD"
