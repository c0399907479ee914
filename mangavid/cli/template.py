"""``mangavid template``: what would stand on AWS, to read or to deploy by other means."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import UsageError


def template(
    ctx: typer.Context,
    asl: Annotated[
        bool, typer.Option("--asl", help="Print the state machine's definition instead, placeholders and all.")
    ] = False,
    account: Annotated[
        str,
        typer.Option("--account", metavar="ID", help="With --asl: fill in this account, and the setting aws.region."),
    ] = "",
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Print the CloudFormation template.

    It is JSON with or without --json, made from the settings alone: no account is asked. Where the packages lie is
    asked for by its parameters.
    """
    from mangavid.asl import render
    from mangavid.aws.stack import code, machine
    from mangavid.aws.stack import template as stack

    settings = session(ctx, config, home).settings().config
    if account and not (asl and settings.aws.region):
        raise UsageError("--account goes with --asl and the setting aws.region", hint="MANGAVID_AWS_REGION=… sets it")
    if asl:
        definition = machine.renamed(settings.aws.prefix)
        sys.stdout.write(render(definition, settings.aws.region, account) if account else definition)
        return
    made = stack.make(settings, code.asked())
    sys.stdout.write(stack.text(made))
    if not as_json:
        output.say(f"{len(made['Resources'])} resources; what its parameters ask for is described in it.")
