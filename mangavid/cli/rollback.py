"""``mangavid rollback``: list what was deployed, and go back to one of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output
from mangavid.cli.deploy import IgnoreChecks, Yes, put_in_force
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import SourceNotFound

if TYPE_CHECKING:
    from mangavid.aws.deploy.releases import Release


def rollback(
    ctx: typer.Context,
    release: Annotated[
        str | None, typer.Argument(metavar="[RELEASE]", help="The release to go back to, or the end of its id.")
    ] = None,
    yes: Yes = False,
    ignore_checks: IgnoreChecks = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """List the releases on AWS, or go back to one.

    Template, code and machines are then as they were. Jobs, videos and secrets stay as they are. What would change is
    shown first, as by mangavid deploy.
    """
    from mangavid.aws.deploy import apply, releases, site
    from mangavid.cli.deployview import view
    from mangavid.clock import SystemClock

    clock = SystemClock()
    place = site.find(session(ctx, config, home).settings().config, network=False)
    work = apply.Deploy(place, clock)
    if not work.code.exists():
        raise SourceNotFound(f"nothing was deployed as {place.stack} in {place.region}", hint="mangavid deploy")
    if release is None:
        _list(releases.listed(work.code), stands=work.stack.state().stands, as_json=as_json)
        return
    with view(as_json=as_json, monotonic=clock.monotonic) as seen:
        work = work.with_tell(seen.step)
        found = releases.find(work.code, release)
        plan = work.plan(work.again(found), settled=True)
    put_in_force(
        work,
        place,
        plan,
        yes=yes,
        ignore_checks=ignore_checks,
        as_json=as_json,
        again=f"mangavid rollback {found.id} --yes",
    )


def _list(listed: Sequence[Release], *, stands: bool, as_json: bool) -> None:
    if as_json:
        output.write_json(listed)
        return
    rows: list[list[output.Cell]] = []
    for place, one in enumerate(listed):
        again = f"again {one.again}" if one.again else ""
        state = ("in force", "green") if place == 0 and stands else again
        rows.append([one.id, output.moment(one.time), one.commit, one.who, state])
    output.write_table(["release", "deployed", "commit", "by", ""], rows, folds=["by"])
    if listed and not stands:
        output.say(f"Nothing stands there now. To make it as it was last: mangavid rollback {listed[0].id}")
    elif len(listed) > 1:
        output.say(f"To go back to the one before: mangavid rollback {listed[1].id}")
    else:
        output.say("There is none to go back to. To deploy what is here: mangavid deploy")
