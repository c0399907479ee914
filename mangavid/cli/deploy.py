"""``mangavid deploy``: put the pipeline on AWS, or bring what stands there up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangavid.cli import ask, output
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import AuthError, ConfigError, UsageError

if TYPE_CHECKING:
    from mangavid.aws.deploy.apply import Deploy, Outcome, Plan
    from mangavid.aws.deploy.preflight import Finding
    from mangavid.aws.deploy.site import Site

#: ``--plan`` found something to do.
CHANGES = 10

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
IgnoreChecks = Annotated[
    bool, typer.Option("--ignore-checks", help="Go on although a check beforehand finds a problem.")
]


def deploy(
    ctx: typer.Context,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be done; exit code 10 where there is something.")
    ] = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Only swap changed function code and the state machine's definition, in seconds."),
    ] = False,
    yes: Yes = False,
    ignore_checks: IgnoreChecks = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Put the pipeline on AWS, or bring it up to date.

    Packages are made, what would change is shown, and after a yes it is put in force. It can be stopped and run again
    at any moment. What fails is taken back. A second deploy finds nothing to do.
    """
    from mangavid.aws.deploy import apply, site
    from mangavid.cli.deployview import view
    from mangavid.clock import SystemClock

    if only_plan and fast:
        raise UsageError("--plan and --fast don't go together", hint="mangavid deploy --plan shows all there is to do")
    settings = session(ctx, config, home).settings().config
    clock = SystemClock()
    with view(as_json=as_json, monotonic=clock.monotonic) as seen:
        place = site.find(settings)
        work = apply.Deploy(place, clock, seen.step)
        wanted = work.wanted(apply.cache_folder())
        if fast:
            outcome = work.swap(wanted)
        else:
            plan = work.plan(wanted, settled=not only_plan)
    if fast:
        tell(outcome, as_json=as_json)
        return
    if only_plan:
        work.drop(plan)
        _show(plan, _checks(place, plan) if plan else (), as_json=as_json)
        raise typer.Exit(CHANGES if plan else 0)
    put_in_force(
        work, place, plan, yes=yes, ignore_checks=ignore_checks, as_json=as_json, again="mangavid deploy --yes"
    )


def put_in_force(
    work: Deploy, place: Site, plan: Plan, *, yes: bool, ignore_checks: bool, as_json: bool, again: str
) -> None:
    """Show a plan, ask, apply it, tell what came of it. ``again`` is what to type where nobody can be asked."""
    from mangavid.cli import planview
    from mangavid.cli.deployview import view
    from mangavid.clock import SystemClock

    try:
        if plan:
            findings = _checks(place, plan)
            if not as_json:
                planview.write(list(planview.plan_lines(plan)), data=False)
                planview.write(list(planview.finding_lines(findings, all=False)), data=False)
            if not ignore_checks:
                _refuse(findings, shown=not as_json)
            if not yes:
                if as_json:
                    raise UsageError("with --json nobody is asked, and nothing was changed", hint=f"{again} --json")
                ask.agree(
                    f"Put this in force in {place.region}, account {place.account}?",
                    doing="mangavid deploy",
                    undone="nothing was changed",
                    unasked=again,
                    look="mangavid deploy --plan shows it again",
                )
    except BaseException:
        work.drop(plan)
        raise
    with view(as_json=as_json, monotonic=SystemClock().monotonic) as seen:
        seen.total = len(plan.changes)
        outcome = work.with_tell(seen.step).apply(plan)
    tell(outcome, as_json=as_json)


def _checks(place: Site, plan: Plan) -> tuple[Finding, ...]:
    from mangavid.aws.deploy import preflight

    if not plan.changes:
        return ()
    return preflight.look(
        place.clients, place.config, caller=place.caller, account=place.account, template=plan.wanted.template
    )


def _refuse(findings: tuple[Finding, ...], *, shown: bool) -> None:
    """Raises where a check found a problem: AuthError for a missing right, else ConfigError."""
    problems = [one for one in findings if one.level == "problem"]
    if not problems:
        return
    kind = AuthError if any(one.check == "permissions" for one in problems) else ConfigError
    words = ", ".join(one.check for one in problems)
    more = [] if shown else [f"{one.check}: {one.what}{f' ({one.hint})' if one.hint else ''}" for one in problems]
    raise kind(
        "\n".join([f"this would not work yet, see {words}; nothing was changed", *more]),
        hint="mend that, or go on all the same with --ignore-checks",
    )


def _show(plan: Plan, findings: tuple[Finding, ...], *, as_json: bool) -> None:
    from mangavid.cli import planview

    if as_json:
        output.write_json(planview.plan_facts(plan, findings))
        return
    planview.write(list(planview.plan_lines(plan)), data=True)
    planview.write(list(planview.finding_lines(findings, all=True)), data=False)
    if plan.busy:
        output.say("note: a change is under way; this is against what stood before it")
    output.say("To put it in force: mangavid deploy" if plan else "What was deployed when: mangavid rollback")


def tell(outcome: Outcome, *, as_json: bool) -> None:
    """What came of it, and what to type next."""
    if as_json:
        output.write_json(_facts(outcome))
        return
    from mangavid.cli import planview

    if outcome.status in ("created", "updated"):
        width = max(map(len, outcome.outputs), default=0)
        for name, value in sorted(outcome.outputs.items()):
            output.write(f"{name.ljust(width)}  {value}")
    if outcome.left:
        output.say("Not swapped, since it takes a full deploy:")
        planview.write([line for change in outcome.left for line in planview.change_lines(change)], data=False)
    output.say(_sentence(outcome))


def _facts(outcome: Outcome) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(outcome)
    return found


def _sentence(outcome: Outcome) -> str:
    release = f" as release {outcome.release.id}" if outcome.release else ""
    match outcome.status:
        case "created":
            return f"{outcome.stack} stands{release}. What it needs next: mangavid secrets"
        case "updated":
            return f"{outcome.stack} is up to date{release}. To go back: mangavid rollback"
        case "swapped":
            more = " The rest: mangavid deploy" if outcome.left else " To make it lasting: mangavid deploy"
            return f"Swapped: {', '.join(outcome.swapped)}.{more}"
        case _:
            if outcome.left:
                return "Nothing was there to swap. To do the rest: mangavid deploy"
            return f"{outcome.stack}: nothing to do, nothing was changed. What was deployed when: mangavid rollback"
