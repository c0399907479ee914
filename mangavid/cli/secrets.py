"""``mangavid secrets``: what the pipeline must know and nobody else, given, listed and taken away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangavid.cli import ask, output
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import UsageError

if TYPE_CHECKING:
    from mangavid.aws.parameters import Secret
    from mangavid.aws.secrets import SsmSecrets
    from mangavid.config import Config
    from mangavid.local.secrets import LocalSecrets

HELP = """Give the pipeline the keys it needs.

Each is kept where the pipeline runs (the setting target): on this machine in a file that only you may read, on AWS
encrypted in your own account (a SecureString of SSM, below the setting aws.prefix). None is ever shown, and none is an
argument: a value is typed where it does not show, or read from a file or a pipe."""

Name = Annotated[
    str, typer.Argument(metavar="openai|youtube|speech", help="Which; mangavid secrets list says what each is.")
]

app = typer.Typer(help=HELP, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    if ctx.invoked_subcommand is None:
        show(ctx, as_json, config, home)


# Whatever else stands on the line is met here, so that it is not repeated by a message about it.
@app.command("set", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def put(
    ctx: typer.Context,
    name: Name,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Read the value from this file; -: from standard input."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Set a secret, or replace it.

    The value is asked for where it does not show; where standard input is no terminal, it is read from there. A line
    end behind it is left out. youtube is a JSON object with client_id, client_secret and refresh_token: mangavid auth
    youtube makes it.
    """
    from mangavid.aws.parameters import checked

    settings = session(ctx, config, home).settings().config
    secret = _named(name)
    if ctx.args:
        raise UsageError(
            "a secret can't be an argument: every program here could see it, and the shell's history keeps it",
            hint=f"mangavid secrets set {secret.name} asks for it, --file FILE reads it; replace one typed here",
        )
    value = checked(secret, _read(secret, file))
    secrets, place = opened(settings)
    secrets.put(secret.parameter, value)
    if as_json:
        output.write_json({"name": secret.name, "parameter": secrets.path(secret.parameter), "set": True})
    else:
        where = f"{secrets.path(secret.parameter)}{place}"
        kept = "encrypted" if place else "in a file that only you may read"
        output.say(f"The secret {secret.name} is set, {kept}: {where}. To see them all: mangavid secrets list")


@app.command("list")
def show(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    """List the secrets there can be: which are set, and since when. Their values stay where they are."""
    from mangavid.aws.parameters import SECRETS

    secrets, place = opened(session(ctx, config, home).settings().config)
    changed = secrets.changed()
    if as_json:
        output.write_json([_facts(secret, secrets, changed.get(secret.parameter)) for secret in SECRETS])
        return
    rows: list[list[output.Cell]] = []
    for secret in SECRETS:
        when = changed.get(secret.parameter)
        state = ("set", "green") if when else ("not set", "yellow")
        rows.append([secret.name, state, output.moment(when) if when else "", secret.what])
    output.write_table(["secret", "state", "changed", "what it is"], rows, folds=["what it is"])
    if not place:
        output.say("These are the secrets of this machine. Those of the pipeline on AWS: the setting target: aws")
    missing = [secret.name for secret in SECRETS if secret.parameter not in changed and not secret.optional]
    if missing:
        output.say(f"To set {missing[0]}: mangavid secrets set {missing[0]}")
    else:
        output.say(f"All are set. To replace one: mangavid secrets set {SECRETS[0].name}")


@app.command()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Delete a secret, with all its earlier values."""
    settings = session(ctx, config, home).settings().config
    secret = _named(name)
    if not yes:
        of = (
            f"of {settings.aws.prefix}? It can't be had back from AWS"
            if settings.target == "aws"
            else "of this machine?"
        )
        ask.agree(
            f"Delete the secret {secret.name} {of}.",
            doing="deleting",
            undone="nothing was deleted",
            unasked=f"mangavid secrets delete {secret.name} --yes",
            look="mangavid secrets list",
        )
    secrets, _ = opened(settings)
    was = secrets.delete(secret.parameter)
    if as_json:
        output.write_json({"name": secret.name, "parameter": secrets.path(secret.parameter), "deleted": was})
    else:
        done = "is deleted" if was else "was not set: nothing was deleted"
        output.say(f"The secret {secret.name} {done}. To set it: mangavid secrets set {secret.name}")


def _facts(secret: Secret, secrets: SsmSecrets | LocalSecrets, changed: Any) -> dict[str, Any]:
    about = {"name": secret.name, "parameter": secrets.path(secret.parameter), "what": secret.what}
    return {**about, "where": secret.where, "set": changed is not None, "changed": changed}


def _named(name: str) -> Secret:
    """Raises UsageError without repeating what was typed: it may be the secret itself."""
    from mangavid.aws.parameters import SECRETS

    for secret in SECRETS:
        if secret.name == name:
            return secret
    known = ", ".join(secret.name for secret in SECRETS)
    raise UsageError(f"there is no secret of that name; there are {known}", hint="mangavid secrets list")


def opened(config: Config) -> tuple[SsmSecrets | LocalSecrets, str]:
    """The secrets of where the pipeline runs, and how that place is told behind a path: nothing for this machine."""
    if config.target == "local":
        from mangavid.local import home_of
        from mangavid.local.secrets import LocalSecrets

        return LocalSecrets(home_of(config)), ""
    from mangavid.aws.secrets import SsmSecrets
    from mangavid.aws.session import Clients

    clients = Clients(config.aws.region or None, profile=config.aws.profile)
    return SsmSecrets(clients["ssm"], config.aws.prefix), f" in {clients['ssm'].client.meta.region_name}"


def _read(secret: Secret, file: Path | None) -> bytes:
    """What was typed, or stands in the file or pipe: no more of it than shows that it is too long."""
    from mangavid.aws.parameters import MAX_BYTES

    most = 2 * MAX_BYTES + 16
    if file is not None and str(file) != "-":
        try:
            with file.open("rb") as opened:
                return opened.read(most)
        except OSError as problem:
            # Not the name: whoever mistakes the option types the value here.
            why = (problem.strerror or "it can't be read").lower()
            raise UsageError(f"--file: {why}", hint="name a file that holds the value, or - to pipe it in") from None
    if sys.stdin is None:
        return b""
    return _typed(secret) if sys.stdin.isatty() else sys.stdin.buffer.read(most)


def _typed(secret: Secret) -> bytes:
    """Asked for on the terminal, once, where it does not show."""
    import getpass
    import warnings

    form = "JSON on one line; it does not show" if secret.fields else "it does not show"
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"{secret.what} ({form}): ").encode()
        except EOFError:
            return b""
        except UnicodeError:
            return b"\xff"  # no text either
        except getpass.GetPassWarning:
            pass
    raise UsageError("this terminal would show what is typed", hint="--file FILE reads it, or pipe it in")
