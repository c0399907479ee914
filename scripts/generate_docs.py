"""Write the pages of docs/ that are made from the code: ``python scripts/generate_docs.py``.

docs/exit-codes.md comes from ``mangavid.errors``, docs/cli.md from the command line itself. docs/state-machine.md and
docs/ARCHITECTURE.md are written by hand but for the parts between markers, which come from ``statemachine.asl.json``
(``generate_states``). A test holds all of them current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import generate_states as states  # noqa: E402

from mangavid.cli.app import app  # noqa: E402
from mangavid.cli.menu import EXAMPLES, GROUPS  # noqa: E402
from mangavid.errors import MangavidError, every_error  # noqa: E402

MEANINGS = {
    0: "It worked. A run that made at least one video, or found none to make.",
    1: "A bug in mangavid. The line says where its details are.",
    2: "The command line or a setting is wrong.",
    3: "A chapter, page, archive or sidecar can't be used, or what was named does not exist.",
    4: "Jobs failed, and no video was made; or what was to stand on AWS could not be made.",
    5: "The day's quota is used up, and nothing was made.",
    6: "A service, tool or disk is unavailable: try again.",
    7: "Credentials are missing, expired or lack a permission.",
    8: "Another run is already at work here.",
    10: "`mangavid deploy --plan` found something to do, `mangavid drift` a difference. No error.",
    130: "Stopped by Ctrl-C or a signal. `mangavid run` goes on where it stopped.",
}
BAR = r"\|"
EVERYWHERE = ("--json", "--config", "--home")
"""Options of every command: told once."""
INSIDE = ("LeaseLost", "ConditionFailed")
"""Raised and caught inside: never an exit."""

EXIT_CODES = """# Exit codes

Made by `scripts/generate_docs.py` from `mangavid/errors.py`: change the classes, not this page.

An error carries its code in its class, and the class name is the error's name in `statemachine.asl.json`, in the
history of an execution and in `--json`. «again» marks causes from outside that pass: the same command may work later.

| code | meaning |
|---|---|
{codes}

`mangavid run` may meet several errors. It leaves with 0 where at least one video was made, or was there already. Where
every chapter failed, it leaves with 3, 5, 6 or 7 if all failures have that code, else with 4. One that was stopped
before it made a video, by `mangavid stop` or in AWS's console, leaves with 130.

| code | error | what it says | again |
|---|---|---|---|
{errors}
"""

CLI = """# The command line

Made by `scripts/generate_docs.py` from the commands themselves: change those, not this page.

| to | type |
|---|---|
{examples}

## What goes where

- Data goes to stdout; progress, notes, hints and errors go to stderr. In a pipe, `mangavid run` prints the paths of
  the videos to stdout, a line each, and nothing else; on a terminal, every file with what it is: video, captions,
  thumbnail, metadata (JSON). A terminal too narrow for a table loses its lesser columns, then gets a block a row.
- `--json` prints one document to stdout: sorted keys, plain ASCII, times in ISO 8601; `mangavid logs` one a line, for
  each line of the log. With it, `mangavid run` tells each step as a line of JSON on stderr.
- An error is one line on stderr, `mangavid: what happened: where, why`, and one beginning with `hint:` that says what
  to do. (Of several wrong settings each has a line.) A chapter that fails does not end its run: progress says `failed`,
  and the end tells each once, `failed: TITLE: STEP: why` with a line for every problem, its `hint:`, and what to type
  next. `mangavid status JOB` tells it again later. With `--json` an error is one line of JSON on stderr: `error` (the
  class in [exit-codes.md](exit-codes.md)), `message`, `hint`, `exit_code`; failed chapters are in the document's
  `failed`.
- People read words for states and statuses (`ready`, `working`, `done`, `failed`, `failed 3 times`, `interrupted`,
  `waiting for quota`, `stopped`); `--json` and `history --events` give the names that the state machine uses.
- Nothing asks a question but what destroys something (`--yes` answers that) and `mangavid secrets set`, which asks for
  the value. No text from outside (a title, a file name) can give the terminal an order or is read as markup.
- `NO_COLOR=1` takes the colours away. `MANGAVID_DEBUG=1` shows the traceback of a bug.

Every command takes `--json`, `--config FILE` (read the settings from this file) and `--home DIR` (keep jobs, history
and work files in this folder); the last two may also stand before the command.

## Settings

A value is taken from the first of: a flag, the environment (`MANGAVID_<SECTION>_<KEY>`, say `MANGAVID_VIDEO_FPS`;
`MANGAVID_HOME` for `local.home`), the file, the default. The file is the first of: `--config FILE`, `MANGAVID_CONFIG`,
`./mangavid.yaml`, `config.yaml` in the user's configuration folder (`~/.config/mangavid` on Linux). All of them are in
[config.example.yaml](../config.example.yaml); `mangavid config show` says what is in force and where it came from.

The file is YAML 1.2: `no` and `1:30` are text, `010` is ten. Keys given twice, anchors, aliases and tags are refused,
and everything that is wrong is told at once, by line.
{commands}"""


def exit_codes() -> str:
    """docs/exit-codes.md."""
    errors = [
        f"| {cls.exit_code} | `{cls.__name__}` | {cls.summary} | {'yes' if cls.transient else ''} |"
        for cls in sorted(every_error(), key=lambda cls: cls.exit_code)
        if cls is not MangavidError and cls.__name__ not in INSIDE
    ]
    missing = {cls.exit_code for cls in every_error()} - set(MEANINGS)
    assert not missing, f"exit codes without a meaning: {missing}"
    codes = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    return EXIT_CODES.format(codes="\n".join(codes), errors="\n".join(errors))


def cli() -> str:
    """docs/cli.md."""
    import typer

    root: Any = typer.main.get_command(app)
    parts = []
    for heading, names in GROUPS:
        parts.append(f"\n## {heading}\n")
        parts += [_command(root.commands[name], f"mangavid {name}") for name in names]
    examples = "\n".join(f"| {what} | `{command}` |" for command, what in EXAMPLES)
    return CLI.format(examples=examples, commands="\n".join(parts))


def _command(command: Any, path: str) -> str:
    usage = " ".join(param.make_metavar(None) for param in command.params if param.param_type_name == "argument")
    lines = [f"### `{' '.join(filter(None, (path, usage)))}`", "", command.help or ""]
    options = [_option(param) for param in command.params]
    if any(options):
        lines += ["", "| | |", "|---|---|", *filter(None, options)]
    if hasattr(command, "commands"):
        lines += ["", *(_command(sub, f"{path} {name}") for name, sub in command.commands.items())]
    return "\n".join(lines).rstrip() + "\n"


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"| `{param.make_metavar(None).replace('|', BAR)}` | {param.help} |"
    if param.opts[0] in EVERYWHERE:
        return ""
    names = ", ".join(param.opts)
    return f"| `{names}{f' {param.metavar}' if param.metavar else ''}` | {param.help} |"


def filled(page: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """A page as it is, with each part between ``<!-- made: NAME -->`` and ``<!-- end -->`` made anew."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name, part in parts.items():
        marked = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = part()
        text, found = marked.subn(lambda at, made=made: f"{at[1]}\n{made}\n\n{at[2]}", text)
        assert found == 1, f"{page}: the part {name} is marked {found} times"
    return text


def state_machine() -> str:
    """docs/state-machine.md."""
    parts = {
        "diagram": states.diagram,
        "states": states.table,
        "retries": states.retries,
        "groups": states.groups,
        "data": states.data,
        "errors": states.errors,
    }
    return filled("state-machine.md", parts)


def architecture() -> str:
    """docs/ARCHITECTURE.md."""
    return filled("ARCHITECTURE.md", {"names": states.names})


PAGES = {
    "exit-codes.md": exit_codes,
    "cli.md": cli,
    "state-machine.md": state_machine,
    "ARCHITECTURE.md": architecture,
}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
