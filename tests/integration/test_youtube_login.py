"""The login to YouTube: the consent in a browser, what is kept of it, and what every refusal says to do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mangavid.errors import AuthError, MangavidError, UpstreamUnavailable, YouTubeQuotaError
from mangavid.publishers.youtube import probe
from tests.fakes.memory import FakeClock
from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_desk import Desk
from tests.fakes.youtube_login import CLIENT, REFRESH, SECRET


@pytest.fixture
def fake() -> Iterator[FakeYoutube]:
    with FakeYoutube() as found:
        yield found


# --- does the login work? ---


def asked(fake: FakeYoutube, folder: Path, token: str = "") -> str:
    return probe(Desk(fake, folder).settings(), lambda: token or fake.login.token(), clock=FakeClock(), timeout=2.0)


def test_a_login_that_works_names_its_channel_for_one_unit(fake: FakeYoutube, tmp_path: Path) -> None:
    fake.data.title = "Kênh\x1b[31m thử\u202e"
    assert asked(fake, tmp_path) == "channel Kênh[31m thử"
    assert fake.units == 1


REFUSALS: dict[str, tuple[str, dict[str, Any], type[MangavidError], str, str]] = {
    "invalid_grant": ("login", {"refuses": "invalid_grant"}, AuthError, "not valid any more", "Testing"),
    "invalid_client": (
        "login",
        {"refuses": "invalid_client"},
        AuthError,
        "does not know this OAuth client",
        "auth youtube",
    ),
    "deleted_client": ("login", {"refuses": "deleted_client"}, AuthError, "was deleted", "make another"),
    "unauthorized_client": ("login", {"refuses": "unauthorized_client"}, AuthError, "may not log in so", "desktop"),
    "an unknown word": ("login", {"refuses": "never_heard"}, MangavidError, "never_heard", ""),
    "no channel": ("data", {"channels": 0}, AuthError, "has no channel", "youtube.com"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_login_that_is_refused_says_what_to_do(fake: FakeYoutube, tmp_path: Path, name: str) -> None:
    where, facts, expected, words, hint = REFUSALS[name]
    for field, value in facts.items():
        setattr(getattr(fake, where), field, value)
    with pytest.raises(expected, match=words) as caught:
        asked(fake, tmp_path)
    assert hint in caught.value.hint
    assert "CANARY" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("reason", "status", "expected", "hint"),
    [
        ("insufficientPermissions", 403, AuthError, "every box"),
        ("accessNotConfigured", 403, AuthError, "enable «YouTube Data API v3»"),
        ("youtubeSignupRequired", 401, AuthError, "make one"),
        ("accountDisabled", 403, AuthError, "studio.youtube.com"),
        ("quotaExceeded", 403, YouTubeQuotaError, "midnight"),
        ("backendError", 503, UpstreamUnavailable, "later"),
    ],
)
def test_a_channel_that_is_refused_says_what_to_do(
    fake: FakeYoutube, tmp_path: Path, reason: str, status: int, expected: type[MangavidError], hint: str
) -> None:
    fake.fault("channels.list", "refuse", times=9, status=status, reason=reason)
    with pytest.raises(expected) as caught:
        asked(fake, tmp_path)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "token",
    ["no JSON", "[]", "{}", json.dumps({"client_id": "CANARY", "client_secret": "CANARY", "refresh_token": ""})],
)
def test_a_secret_that_is_no_login_is_told_without_showing_it(fake: FakeYoutube, tmp_path: Path, token: str) -> None:
    with pytest.raises(AuthError, match="the secret youtube-token is no") as caught:
        asked(fake, tmp_path, token)
    assert "CANARY" not in str(caught.value)
    assert fake.calls == []


def test_an_access_token_that_could_end_a_header_is_not_used(fake: FakeYoutube, tmp_path: Path) -> None:
    evil = json.dumps({"access_token": "x\r\nEvil: 1", "expires_in": 3600})
    fake.fault("token", "say", times=9, status=200, message=evil)
    with pytest.raises(UpstreamUnavailable, match="without an access token"):
        asked(fake, tmp_path)


# --- mangavid auth youtube ---


class Shell:
    """The command in a process of its own, and a browser that a person agrees in."""

    def __init__(self, fake: FakeYoutube, folder: Path) -> None:
        self.fake, self.home = fake, folder / "home"
        self.file = folder / "client.json"
        self.file.write_text(json.dumps(fake.login.client()))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MANGAVID_", "AWS_"))}
        self.env = {**kept, "XDG_CONFIG_HOME": str(folder), "HOME": str(folder), "OAUTHLIB_INSECURE_TRANSPORT": "1"}
        self.env["MANGAVID_YOUTUBE_LOGIN"] = f"{fake.url}/token"

    @property
    def kept(self) -> Path:
        return self.home / "secrets" / "youtube-token"

    def run(self, *args: str, agree: bool = True, spoil: str = "") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        told = [sys.executable, "-m", "mangavid", "auth", "youtube", "--home", str(self.home), "--no-browser", *args]
        with subprocess.Popen(
            told, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if agree and (found := re.match(r"http://\S+", line)):
                    self._browse(found[0], spoil)
            assert process.stdout is not None
            out = process.stdout.read()
        return process.returncode, out, said

    def _browse(self, address: str, spoil: str) -> None:
        if spoil:
            address = re.sub(r"state=\w+", f"state={spoil}", address)
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(address, timeout=20) as answer:
            answer.read()


@pytest.fixture
def shell(fake: FakeYoutube, tmp_path: Path) -> Shell:
    return Shell(fake, tmp_path)


def test_a_login_is_kept_so_that_only_its_owner_reads_it(shell: Shell) -> None:
    code, out, said = shell.run("--client", str(shell.file), "--json")
    assert code == 0, said
    assert json.loads(out) == {"name": "youtube", "where": str(shell.kept), "set": True}
    assert json.loads(shell.kept.read_text()) == {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "refresh_token": REFRESH,
    }
    assert stat.S_IMODE(shell.kept.stat().st_mode) == 0o600
    assert "CANARY" not in out + said
    asked = shell.fake.login.asked
    assert (asked["access_type"], asked["prompt"], asked["code_challenge_method"]) == ("offline", "consent", "S256")
    assert asked["scope"].endswith("/auth/youtube.force-ssl")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("spoil", "exit_code", "words"),
    [
        ("denied", 7, "consent was not given (access_denied)"),
        ("no refresh token", 7, "gave no refresh token"),
        ("another scope", 7, "does not cover what publishing needs"),
        ("wrong secret", 7, "does not know this OAuth client (invalid_client)"),
        ("code refused", 7, "does not take its own code any more (invalid_grant)"),
        ("login down", 6, "can't be reached"),
        ("login says nonsense", 7, "holds no login"),
        ("another state", 7, "not of this login"),
        ("web client", 7, "OAuth client for web pages"),
        ("no client", 7, "is no OAuth client for desktop apps"),
        ("no JSON", 7, "is no OAuth client for desktop apps"),
        ("no file", 2, "--client: no such file"),
        ("nobody agrees", 7, "nobody agreed within 1 s"),
    ],
)
def test_a_login_that_fails_says_what_to_do_and_keeps_nothing(
    shell: Shell, spoil: str, exit_code: int, words: str
) -> None:
    login, more = shell.fake.login, ["--client", str(shell.file)]
    if spoil == "denied":
        login.denies = "access_denied"
    elif spoil == "no refresh token":
        login.offline = False
    elif spoil == "another scope":
        login.scope = "openid"
    elif spoil == "wrong secret":
        shell.file.write_text(json.dumps(login.client(client_secret="CANARY-WRONG")))
    elif spoil == "code refused":
        login.refuses = "invalid_grant"
    elif spoil == "login down":
        shell.fake.fault("token", "drop", times=9)
    elif spoil == "login says nonsense":
        shell.fake.fault("token", "garbage", times=9)
    elif spoil == "web client":
        shell.file.write_text(json.dumps({"web": login.client()["installed"]}))
    elif spoil in ("no client", "no JSON"):
        shell.file.write_text({"no client": '{"installed": {}}', "no JSON": "\x00"}[spoil])
    elif spoil == "no file":
        more = ["--client", str(shell.file) + "x"]
    elif spoil == "nobody agrees":
        more += ["--wait", "1"]
    code, out, said = shell.run(
        *more, agree=spoil != "nobody agrees", spoil="forged" if spoil == "another state" else ""
    )
    assert (code, out) == (exit_code, ""), said
    assert words in said
    assert "hint: " in said
    assert "Traceback" not in said
    assert "CANARY" not in said
    assert not shell.kept.exists()


def test_the_client_of_the_last_login_serves_for_the_next(shell: Shell) -> None:
    code, _, said = shell.run(agree=False)
    assert code == 2
    assert "the OAuth client must be named" in said
    shell.run("--client", str(shell.file))
    code, _, said = shell.run("--wait", "1", agree=False)
    assert "https://accounts.google.com/o/oauth2/auth?" in said, "Google's own address: nothing else is known of it"
    assert f"client_id={CLIENT}" in said
    assert shell.kept.exists(), "a login that fails leaves the one before"
