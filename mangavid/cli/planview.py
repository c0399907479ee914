"""What a deploy would change, as a person reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mangavid.cli import output

if TYPE_CHECKING:
    from rich.text import Text

    from mangavid.aws.deploy.apply import Plan
    from mangavid.aws.deploy.difference import Change, Property
    from mangavid.aws.deploy.preflight import Finding

_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "replace": ("±", "bold red"), "remove": ("-", "red")}
_WORDS = {"add": "added", "change": "changed", "replace": "replaced", "remove": "removed"}
#: More resources than this of one action are told by type.
_MANY = 12
_LEVELS = {"ok": ("✓", "green"), "note": ("•", "dim"), "problem": ("✗", "red")}

#: A line as its parts, each a text and a style.
Line = list[tuple[str, str]]


def write(lines: Sequence[Line], *, data: bool) -> None:
    """To stdout as data, else to stderr; in colour on a terminal."""
    import sys

    stream = sys.stdout if data else sys.stderr
    if stream.isatty():
        screen = output.console(stream)
        for line in lines:
            screen.print(_styled(line), soft_wrap=True)
        return
    for line in lines:
        (output.write if data else output.say)("".join(text for text, _ in line).rstrip())


def _styled(line: Line) -> Text:
    from rich.text import Text

    return Text().join(output.styled((text, style)) for text, style in line)


def plan_lines(plan: Plan) -> Iterator[Line]:
    """The whole plan."""
    yield [(summary(plan), "bold")]
    for action in ("add", "change", "replace", "remove"):
        some = [one for one in plan.changes if one.action == action]
        if action == "add" and len(some) > _MANY:
            yield from _by_type(some)
        else:
            for change in some:
                yield from change_lines(change)
    if plan.beside:
        yield from _group("beside the resources", plan.beside)
    for name in plan.taken_over:
        yield [("  ↺ ", "cyan"), (name, ""), ("  is there from before and is taken over with all that is in it", "dim")]
    for name in plan.restores:
        yield [("  ~ ", "yellow"), (name, ""), ("  was swapped by --fast: the template's own is put back", "dim")]
    if plan.uploads:
        size = sum(one.size for one in plan.uploads)
        names = ", ".join(one.name for one in plan.uploads)
        yield [
            ("  ↑ ", "cyan"),
            (f"{len(plan.uploads)} packages to upload, {size / 1e6:.1f} MB", ""),
            (f"  {names}", "dim"),
        ]


def summary(plan: Plan) -> str:
    if not plan:
        return f"{plan.stack}: nothing to do, all is as it should be"
    counted = Counter[str](one.action for one in plan.changes)
    parts = [f"{counted[action]} {_WORDS[action]}" for action in _WORDS if counted[action]]
    made = "is made: " if plan.fresh else ""
    return f"{plan.stack} {made}{', '.join(parts) or 'no resource changes'}"


def _by_type(some: Sequence[Change]) -> Iterator[Line]:
    mark, style = _MARKS["add"]
    counted = Counter(kind(one.type) for one in some)
    for name, count in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        yield [(f"  {mark} ", style), (f"{count:3} ", ""), (name, "")]
    yield [("    all of it: mangavid template", "dim")]


def change_lines(change: Change) -> Iterator[Line]:
    mark, style = _MARKS[change.action]
    replaced = change.action == "replace"
    line: Line = [(f"  {mark} ", style), (change.id, style if replaced else ""), (f"  {kind(change.type)}", "dim")]
    if replaced:
        fate = "stays, outside the stack" if change.kept else "is deleted"
        line.append((f"  replaced: made anew, and the one there {fate}", style))
    elif change.action == "remove" and change.kept:
        line.append(("  stays as it is, outside the stack", "dim"))
    elif change.perhaps:
        line.append(("  may have to be replaced: AWS decides when it comes to it", "yellow"))
    yield line
    for one in change.properties:
        yield _property(one)


def _group(title: str, properties: Sequence[Property]) -> Iterator[Line]:
    yield [("  ~ ", "yellow"), (title, "")]
    for one in properties:
        yield _property(one)


def _property(one: Property) -> Line:
    from mangavid.aws.deploy.difference import both

    before, after = both(one)
    return [(f"      {one.path}  ", ""), (before, "red"), (" → ", "dim"), (after, "green")]


def kind(type: str) -> str:
    """«Lambda Function»."""
    return type.removeprefix("AWS::").replace("::", " ")


def finding_lines(findings: Sequence[Finding], *, all: bool) -> Iterator[Line]:
    """What was looked at beforehand; without ``all`` only what is not well."""
    for one in findings:
        if all or one.level != "ok":
            mark, style = _LEVELS[one.level]
            yield [(f"  {mark} ", style), (f"{one.check}: ", ""), (one.what, "dim" if one.level == "note" else "")]
            if one.hint and one.level != "ok":
                yield [(f"      {one.hint}", "dim")]


def plan_facts(plan: Plan, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """For --json."""
    import msgspec

    return {
        "stack": plan.stack,
        "fresh": plan.fresh,
        "changes": msgspec.to_builtins(plan.changes),
        "beside": msgspec.to_builtins(plan.beside),
        "uploads": [{"key": one.key, "bytes": one.size} for one in plan.uploads],
        "restores": list(plan.restores),
        "taken_over": list(plan.taken_over),
        "under_way": plan.busy,
        "checks": msgspec.to_builtins(list(findings)),
    }
