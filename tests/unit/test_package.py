"""Packages for AWS: what is in them, that they are the same bytes whoever makes them, and how making one fails."""

from __future__ import annotations

from mangavid.aws import package
from mangavid.local.handlers import FUNCTIONS


def test_every_function_of_the_state_machine_has_the_handler_that_serves_it_here_too() -> None:
    assert {name: folder for name, folder in package.FOLDERS.items() if name != "reaper"} == FUNCTIONS
    assert package.HANDLERS["fetcher"] == "lambdas.fetcher.handler.handler"
