"""``mangavid drift``: what on AWS is no longer as it was deployed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import ask, output
from mangavid.cli.deploy import CHANGES, Yes
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.aws.deploy.drift import Drift, Found
    from mangavid.aws.deploy.site import Site
    from mangavid.cli.planview import Line


def drift(
    ctx: typer.Context,
    revert: Annotated[bool, typer.Option("--revert", help="Put back what the template in force says.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show what on AWS was changed by hand.

    Exit code 10 where something was since it was deployed. Settings of all resources as CloudFormation sees them, and
    what it does not look at: the code of functions, the state machine's definition, the schedule, termination
    protection, the packages.
    """
    from mangavid.aws.deploy import site
    from mangavid.aws.deploy.drift import Drifts
    from mangavid.cli.deployview import view
    from mangavid.clock import SystemClock

    clock = SystemClock()
    place = site.find(session(ctx, config, home).settings().config, network=False)
    with view(as_json=as_json, monotonic=clock.monotonic) as seen:
        found = Drifts(place, clock, seen.step).look()
    if revert and found.drifts:
        if not as_json:
            _show(found, data=False)
        if not yes:
            ask.agree(
                f"Put this back in {place.region}, account {place.account}?",
                doing="mangavid drift --revert",
                undone="nothing was changed",
                unasked="mangavid drift --revert --yes",
                look="mangavid drift shows it again",
            )
        with view(as_json=as_json, monotonic=clock.monotonic) as seen:
            found = Drifts(place, clock, seen.step).revert(found)
    _tell(found, place, reverted=revert, as_json=as_json)
    if found.drifts:
        raise typer.Exit(CHANGES)


def _show(found: Found, *, data: bool) -> None:
    from mangavid.cli import planview

    planview.write([line for one in found.drifts for line in _lines(one)], data=data)


def _lines(one: Drift) -> Iterator[Line]:
    from mangavid.aws.deploy.difference import Action, Change
    from mangavid.cli import planview

    action: Action = "remove" if one.what == "deleted" else "change"
    first, *more = planview.change_lines(Change(action=action, id=one.id, type=one.type, properties=one.properties))
    named = [(f"  {one.name}", "dim")] if one.name not in ("", one.id) else []
    gone = [("  is not there any more", "red")] if one.what == "deleted" else []
    swapped = [("  by mangavid deploy --fast", "dim")] if one.fast else []
    yield [*first, *named, *gone, *swapped]
    yield from more


def _tell(found: Found, place: Site, *, reverted: bool, as_json: bool) -> None:
    if as_json:
        output.write_json(found)
        return
    _show(found, data=True)
    for id, reason in found.unknown.items():
        output.say(f"note: AWS could not look at {id}{f': {reason}' if reason else ''}")
    if not found.drifts:
        back = "all is put back: it" if reverted else f"{found.stack} in {place.region}"
        output.say(f"{back} is as it was deployed. What was deployed when: mangavid rollback")
        return
    if reverted:
        output.say("AWS did not put that back. To mend it by hand, set it to what stands on the left of the arrow.")
    elif any(one.mend == "revert" for one in found.drifts):
        output.say("A deploy leaves what was changed by hand as it is. To put it back: mangavid drift --revert")
    else:
        output.say("The next deploy puts that right: mangavid deploy")
