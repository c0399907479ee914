"""``mangavid auth``: logins that a person gives in a browser, kept where the pipeline runs."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import AuthError, MangavidError, UpstreamUnavailable, UsageError

if TYPE_CHECKING:
    from mangavid.config import Youtube

HELP = """Log in to what needs your consent.

The login is kept where the pipeline runs (the setting target), as mangavid secrets keeps it."""

app = typer.Typer(help=HELP, rich_markup_mode=None)

#: Covers uploads, thumbnails, captions, playlists and looking at one's own channel; a smaller one lacks the captions.
SCOPE: Final = "https://www.googleapis.com/auth/youtube.force-ssl"
_CONSENT: Final = "https://accounts.google.com/o/oauth2/auth"
_CLIENT_BYTES = 1 << 16
_DOCS: Final = "docs/youtube.md says how one is made"


@app.callback()
def default() -> None: ...


@app.command()
def youtube(
    ctx: typer.Context,
    client: Annotated[
        Path | None,
        typer.Option("--client", metavar="FILE", help="The OAuth client's JSON file, from the Google Cloud console."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser: only print the address to open.")
    ] = False,
    wait: Annotated[
        int, typer.Option("--wait", metavar="SECONDS", min=1, max=3600, help="How long the consent is waited for.")
    ] = 300,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Log in to the YouTube channel that videos are published to.

    The browser must run on this machine: Google sends it back here. Without --client the OAuth client of the last login
    is used. What is kept is the client and a refresh token, never a password.
    """
    from mangavid.aws.parameters import SECRETS, checked
    from mangavid.cli.secrets import opened

    settings = session(ctx, config, home).settings().config
    secrets, _ = opened(settings)
    secret = next(one for one in SECRETS if one.name == "youtube")
    known = _client(client) if client is not None else _last(secrets.get, secret.parameter, settings.youtube)
    login = _agreed(known, browser=not no_browser, wait=wait)
    secrets.put(secret.parameter, checked(secret, json.dumps(login).encode()))
    where = secrets.path(secret.parameter)
    if as_json:
        output.write_json({"name": secret.name, "where": where, "set": True})
    else:
        output.say(f"Logged in to YouTube; the login is kept: {where}. To see that all works: mangavid check --live")


def _client(path: Path) -> dict[str, Any]:
    """The OAuth client in a file. Raises UsageError, AuthError; neither holds any of it."""
    try:
        with path.open("rb") as file:
            data = file.read(_CLIENT_BYTES)
    except OSError as problem:
        raise UsageError(
            f"--client: {(problem.strerror or 'it can not be read').lower()}: {path}", hint=_DOCS
        ) from None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    about = found.get("installed") if isinstance(found, dict) else None
    if isinstance(found, dict) and isinstance(found.get("web"), dict):
        raise AuthError(
            f"{path} is an OAuth client for web pages, and Google lets those not come back to this machine",
            hint="make one of the type «Desktop app» (docs/youtube.md)",
        )
    needed = ("client_id", "client_secret", "auth_uri", "token_uri")
    if not isinstance(about, dict) or not all(isinstance(about.get(name), str) and about[name] for name in needed):
        raise AuthError(
            f"{path} is no OAuth client for desktop apps", hint="download its JSON at console.cloud.google.com"
        )
    return {"installed": {**about, "redirect_uris": ["http://127.0.0.1"]}}


def _last(get: Any, parameter: str, settings: Youtube) -> dict[str, Any]:
    """The client of the login that is kept."""
    try:
        found = json.loads(get(parameter))
    except (AuthError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(n), str) for n in ("client_id", "client_secret")):
        raise UsageError(
            "there is no login yet: the OAuth client must be named",
            hint=f"mangavid auth youtube --client client_secret.json; {_DOCS}",
        )
    about = {name: found[name] for name in ("client_id", "client_secret")}
    where = {"auth_uri": _CONSENT, "token_uri": settings.login, "redirect_uris": ["http://127.0.0.1"]}
    return {"installed": {**about, **where}}


def _agreed(client: dict[str, Any], *, browser: bool, wait: int) -> dict[str, str]:
    """Have the person agree in a browser; the login that comes of it. Raises AuthError, UpstreamUnavailable."""
    import warnings
    import webbrowser

    import requests
    from google_auth_oauthlib.flow import (  # type: ignore[import-untyped,unused-ignore]
        InstalledAppFlow,
        WSGITimeoutError,
    )
    from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped,unused-ignore]

    about = client["installed"]
    flow = InstalledAppFlow.from_client_config(client, scopes=[SCOPE])
    flow.oauth2session.request = functools.partial(flow.oauth2session.request, timeout=30)
    if browser:
        output.say("Your browser opens: choose the account of the channel, and agree.")
    try:
        # The library prints the address to stdout, which is for data.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # another scope than the one asked for
            flow.run_local_server(
                host="127.0.0.1",
                port=0,
                open_browser=browser,
                authorization_prompt_message="Open this address in a browser on this machine:\n{url}",
                success_message="Done: mangavid is logged in. This page can be closed.",
                timeout_seconds=wait,
                access_type="offline",
                prompt="consent",
            )
    except WSGITimeoutError:
        raise AuthError(
            f"nobody agreed within {wait} s", hint="mangavid auth youtube --no-browser prints the address"
        ) from None
    except webbrowser.Error:
        raise UsageError("no browser could be opened", hint="mangavid auth youtube --no-browser") from None
    except OAuth2Error as problem:
        raise _refused(str(problem.error or type(problem).__name__)) from None
    except Warning:
        raise AuthError(
            "the login does not cover what publishing needs", hint="mangavid auth youtube, and leave every box ticked"
        ) from None
    except requests.exceptions.RequestException as problem:
        raise UpstreamUnavailable(f"the login can't be reached: {type(problem).__name__}") from None
    except ValueError:
        raise UpstreamUnavailable("the login's answer can't be read") from None
    except OSError as problem:
        raise UpstreamUnavailable(f"no port of this machine can be listened on: {problem.strerror}") from None
    return _login(flow.oauth2session.token, about)


def _login(token: Mapping[str, Any], about: Mapping[str, str]) -> dict[str, str]:
    refresh = token.get("refresh_token")
    if not isinstance(refresh, str) or not refresh:
        raise AuthError(
            "Google gave no refresh token, without which the login ends in an hour",
            hint="take mangavid away at myaccount.google.com/connections, then mangavid auth youtube",
        )
    return {"client_id": about["client_id"], "client_secret": about["client_secret"], "refresh_token": refresh}


def _refused(reason: str) -> MangavidError:
    """By the word that OAuth has for it (RFC 6749, 4.1.2.1 and 5.2)."""
    said = {
        "access_denied": ("consent was not given", "mangavid auth youtube, and agree"),
        "mismatching_state": (
            "the answer is not of this login",
            "mangavid auth youtube, and open the address it prints",
        ),
        "invalid_client": ("Google does not know this OAuth client", f"name its file with --client; {_DOCS}"),
        "deleted_client": ("this OAuth client was deleted", f"make another; {_DOCS}"),
        "unauthorized_client": ("this OAuth client may not log in so", f"make one for desktop apps; {_DOCS}"),
        "invalid_grant": ("Google does not take its own code any more", "mangavid auth youtube, and don't wait long"),
        "insecure_transport": ("the address of the login is not https", "download the client's file anew"),
        "missing_token": ("Google's answer holds no login", "mangavid auth youtube"),
    }
    what, hint = said.get(reason, ("Google does not let this login through", f"is the client set up? {_DOCS}"))
    return AuthError(f"{what} ({output.safe(reason)[:60]})", hint=hint)
