"""``mangavid secrets`` as a process against moto's SSM: what is stored and said, and that no value is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.parameters import MAX_BYTES, SECRETS, checked
from mangavid.aws.secrets import SsmSecrets
from mangavid.aws.session import Service
from mangavid.errors import MangavidError, UsageError
from tests.fakes.motoserver import moto_server
from tests.integration.test_cli import HEAVY, ROOT, Screen, loaded

REGION = "eu-west-1"
CANARY = "sk-canary-0123456789"
OPENAI, YOUTUBE, SPEECH = SECRETS
PARAMETER = "/manga-pipeline/openai-api-key"
TOKEN = json.dumps({"client_id": "an-id", "client_secret": "GOCSPX-canary", "refresh_token": CANARY})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def env(server: str, tmp_path: Path) -> dict[str, str]:
    """An empty account, credentials for it, and no settings of the person who runs the tests."""
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=30).close()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MANGAVID_", "AWS_"))}
    return kept | {
        "HOME": str(tmp_path / "me"),
        "XDG_CONFIG_HOME": str(tmp_path / "me"),
        "MANGAVID_TARGET": "aws",
        "MANGAVID_AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }


def secrets(
    *args: str | Path, env: Mapping[str, str], given: bytes | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[bytes]:
    """``given`` is piped in; without it standard input is empty."""
    return subprocess.run(
        [sys.executable, "-m", "mangavid", "secrets", *map(str, args)],
        env=dict(env),
        cwd=cwd,
        input=given or b"",
        capture_output=True,
        timeout=120,
    )


def ssm(server: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client("ssm", region_name=REGION, endpoint_url=server, **keys)


def stored(server: str, name: str = PARAMETER) -> str | None:
    client = ssm(server)
    try:
        found = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    except client.exceptions.ParameterNotFound:
        return None
    assert found["Type"] == "SecureString"
    return str(found["Value"])


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """All that was printed. No secret is in it, nor a traceback."""
    text = (done.stdout + done.stderr).decode()
    assert "canary" not in text
    assert "Traceback" not in text
    return text


# --- giving one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_value_that_is_piped_in_is_stored_encrypted_without_its_line_end(
    server: str, env: dict[str, str], end: str
) -> None:
    done = secrets("set", "openai", env=env, given=f"{CANARY}{end}".encode())
    assert (done.returncode, done.stdout) == (0, b"")
    assert "The secret openai is set, encrypted: /manga-pipeline/openai-api-key in eu-west-1." in said(done)
    assert said(done).rstrip().endswith("mangavid secrets list")
    assert stored(server) == CANARY


def test_a_value_comes_from_a_file_or_from_a_pipe_that_is_named(
    server: str, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    assert secrets("set", "openai", "--file", tmp_path / "key", env=env).returncode == 0
    assert stored(server) == CANARY
    done = secrets("set", "openai", "--file", "-", "--json", env=env, given=b"another\n")
    assert json.loads(done.stdout) == {"name": "openai", "parameter": PARAMETER, "set": True}
    assert stored(server) == "another"


def test_a_value_that_is_typed_does_not_show(server: str, env: dict[str, str], tmp_path: Path) -> None:
    screen = Screen("secrets", "set", "openai", env=env, cwd=tmp_path)
    screen.until(lambda text: "it does not show" in text)
    seen = b"".join(Path(f"/proc/{screen.pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
    screen.type(f"{CANARY}\r".encode())
    assert screen.end() == 0, screen.plain
    assert "API key of the model that writes the narration" in screen.plain
    assert "canary" not in screen.text
    assert b"canary" not in seen
    assert stored(server) == CANARY


def test_json_can_be_typed_on_one_line(server: str, env: dict[str, str], tmp_path: Path) -> None:
    screen = Screen("secrets", "set", "youtube", env=env, cwd=tmp_path)
    screen.until(lambda text: "JSON on one line" in text)
    screen.type(f"{TOKEN}\r".encode())
    assert screen.end() == 0, screen.plain
    assert "canary" not in screen.text
    assert stored(server, "/manga-pipeline/youtube-token") == TOKEN


@pytest.mark.parametrize(("keys", "code"), [(b"\r", 2), (b"\x04", 2), (b"\x03", 130)], ids=["enter", "end", "Ctrl-C"])
def test_a_prompt_that_is_left_sets_nothing(
    server: str, env: dict[str, str], tmp_path: Path, keys: bytes, code: int
) -> None:
    screen = Screen("secrets", "set", "openai", env=env, cwd=tmp_path)
    screen.until(lambda text: "it does not show" in text)
    screen.type(keys)
    assert screen.end() == code
    assert "hint: " in screen.plain
    assert "Traceback" not in screen.plain
    assert stored(server) is None


def test_a_value_in_the_place_of_an_argument_is_refused_with_why_and_is_not_repeated(
    server: str, env: dict[str, str]
) -> None:
    for args in (
        ["set", "openai", CANARY],
        ["set", "openai", f"--{CANARY}"],
        ["set", "openai", f"--value={CANARY}", "--json"],
        ["set", CANARY],
        ["set", "openai", "--file", CANARY],
        ["set", "openai", "--", f"-{CANARY}"],
    ):
        done = secrets(*args, env=env, given=b"in-the-pipe")
        assert (done.returncode, done.stdout) == (2, b""), args
        assert "hint" in said(done), args
    first, second = said(secrets("set", "openai", CANARY, env=env)).splitlines()
    assert first.startswith("mangavid: a secret can't be an argument: every program here could see it")
    assert second.startswith("hint: ")
    assert "mangavid secrets set openai asks for it, --file FILE reads it" in second
    assert stored(server) is None


def test_the_value_is_in_its_parameter_and_nowhere_else(server: str, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token.json").write_text(TOKEN)
    for given in ("first-canary", CANARY):
        said(secrets("set", "openai", env=env, given=given.encode()))
    said(secrets("set", "youtube", "--file", tmp_path / "token.json", env=env))
    said(secrets("list", env=env))
    said(secrets("list", "--json", env=env))
    client = ssm(server)
    fields = [*client.describe_parameters()["Parameters"]]
    fields += [client.get_parameter(Name=one["Name"], WithDecryption=True)["Parameter"] for one in fields]
    assert len(fields) == 4
    assert sum("canary" in str(one.pop("Value", "")) for one in fields) == 2
    assert "canary" not in repr(fields)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "token.json"]


def test_another_channel_has_secrets_of_its_own(server: str, env: dict[str, str]) -> None:
    other = env | {"MANGAVID_AWS_PREFIX": "manga"}
    assert secrets("set", "openai", env=other, given=b"theirs").returncode == 0
    assert stored(server, "/manga/openai-api-key") == "theirs"
    assert [one["set"] for one in json.loads(secrets("list", "--json", env=env).stdout)] == [False] * 3


# --- values that can't be right --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("openai", b"", "the value for openai is empty"),
        ("openai", b" \n", "the value for openai is empty"),
        ("openai", b"canary\xff", "is no text (UTF-8)"),
        ("openai", b"sk-canary two", "holds a space, a line end or a letter that no key has"),
        ("openai", b"sk-canary\nsk-canary", "holds a space, a line end"),
        ("openai", "sk-canary–".encode(), "holds a space, a line end or a letter that no key has"),
        ("openai", b"canary" * 700, f"has 4200 bytes; {MAX_BYTES} fit"),
        ("openai", b"canary" * 200_000, f"has more than {MAX_BYTES} bytes"),
        ("youtube", CANARY.encode(), "is no JSON object"),
        ("youtube", f'["{CANARY}"]'.encode(), "is no JSON object"),
        ("youtube", f'{{"refresh_token": "{CANARY}"'.encode(), "is no JSON object"),
        ("youtube", b"[" * 4096, "is no JSON object"),
        ("youtube", f'{{"refresh_token": "{CANARY}"}}'.encode(), "lacks client_id and client_secret"),
        ("youtube", f'{{"installed": {TOKEN}}}'.encode(), "lacks client_id, client_secret and refresh_token"),
        ("youtube", TOKEN.replace('"an-id"', "7").encode(), "has no text as client_id"),
        ("youtube", TOKEN.replace('"an-id"', '" "').encode(), "has no text as client_id"),
    ],
)
def test_a_value_that_can_not_be_right_is_refused_in_a_line_that_does_not_show_it(
    server: str, env: dict[str, str], name: str, given: bytes, says: str
) -> None:
    done = secrets("set", name, env=env, given=given)
    assert (done.returncode, done.stdout) == (2, b"")
    first, second = said(done).splitlines()
    assert says in first
    assert second.startswith("hint: ")
    assert ssm(server).describe_parameters()["Parameters"] == []


def test_no_error_carries_the_value_inside_of_it() -> None:
    for given in (b"canary\xff", b"[" * 4096 + b"canary", b"canary {"):
        with pytest.raises(UsageError) as told:
            checked(YOUTUBE, given)
        problem: BaseException | None = told.value
        while problem is not None:
            assert "canary" not in repr(problem) + repr(vars(problem))
            problem = problem.__cause__ or problem.__context__


def test_a_mark_before_a_file_s_text_and_fields_beside_the_needed_ones_are_fine() -> None:
    assert checked(OPENAI, b"\xef\xbb\xbfsk-1\r\n") == "sk-1"
    more = TOKEN.replace("{", '{"scopes": ["upload"], ')
    assert checked(YOUTUBE, more.encode()) == more
    assert checked(OPENAI, b"k" * MAX_BYTES + b"\n") == "k" * MAX_BYTES


@pytest.mark.parametrize("file", ["missing", "", "folder"])
def test_a_file_that_can_not_be_read_is_told_without_a_traceback(
    env: dict[str, str], tmp_path: Path, file: str
) -> None:
    (tmp_path / "folder").mkdir()
    done = secrets("set", "openai", "--file", file, env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert said(done).startswith("mangavid: --file: ")


# --- AWS refuses -----------------------------------------------------------------------------------------------------


def test_words_of_aws_that_repeat_the_value_go_no_further() -> None:
    from botocore.exceptions import ClientError

    class Client:
        def put_parameter(self, **given: str) -> None:
            message = f"1 validation error: Value '{given['Value']}' at 'value' failed to satisfy constraint"
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "PutParameter")

    with pytest.raises(MangavidError) as told:
        SsmSecrets(Service("ssm", Client), "manga-pipeline").put("openai-api-key", CANARY)
    assert "/manga-pipeline/openai-api-key is refused" in str(told.value)
    assert "aws.prefix" in told.value.hint
    assert (told.value.__cause__, told.value.__context__) == (None, None)


def test_without_credentials_it_is_exit_7_and_without_an_answer_exit_6(env: dict[str, str]) -> None:
    bare = {name: value for name, value in env.items() if not name.startswith("AWS_")}
    bare |= {"AWS_EC2_METADATA_DISABLED": "true"}
    done = secrets("set", "openai", env=bare, given=CANARY.encode())
    assert done.returncode == 7
    assert "hint: set AWS_PROFILE" in said(done)
    done = secrets("list", "--json", env=env | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"})
    assert done.returncode == 6
    assert json.loads(done.stderr)["error"] == "UpstreamUnavailable"


# --- listing ---------------------------------------------------------------------------------------------------------


def test_the_list_says_what_there_can_be_which_are_set_and_what_to_type(env: dict[str, str]) -> None:
    done = secrets("list", env=env)
    assert done.stdout.decode().splitlines()[1].split()[:3] == ["openai", "not", "set"]
    assert done.stderr.decode() == "To set openai: mangavid secrets set openai\n"
    secrets("set", "openai", env=env, given=CANARY.encode())
    done = secrets(env=env)
    assert "To set youtube: mangavid secrets set youtube" in said(done)
    secrets("set", "youtube", env=env, given=TOKEN.encode())
    done = secrets("list", env=env)
    assert "All are set. To replace one: mangavid secrets set openai" in said(done)
    assert len(done.stdout.decode().splitlines()) == 1 + len(SECRETS)


def test_the_list_as_json_has_when_each_last_changed(server: str, env: dict[str, str]) -> None:
    secrets("set", "openai", env=env, given=CANARY.encode())
    done = secrets("list", "--json", env=env)
    assert done.stderr == b""
    first, second, third = json.loads(done.stdout)
    changed = ssm(server).get_parameter(Name=PARAMETER)["Parameter"]["LastModifiedDate"]
    assert (first["name"], first["parameter"], first["set"]) == ("openai", PARAMETER, True)
    assert first["changed"][:19] == changed.astimezone().isoformat()[:19]
    assert (second["name"], second["set"], second["changed"]) == ("youtube", False, None)
    assert second["parameter"] == "/manga-pipeline/youtube-token"
    assert (third["name"], third["parameter"]) == ("speech", "/manga-pipeline/speech-api-key")


def test_on_this_machine_a_secret_is_a_file_that_only_its_owner_may_read(env: dict[str, str], tmp_path: Path) -> None:
    here = env | {"MANGAVID_TARGET": "local", "MANGAVID_HOME": str(tmp_path / "home")}
    done = secrets("set", "openai", env=here, given=CANARY.encode())
    file = tmp_path / "home/secrets/openai-api-key"
    assert said(done).endswith("To see them all: mangavid secrets list\n")
    assert str(file) in said(done)
    assert (file.read_text(), file.stat().st_mode & 0o777) == (CANARY, 0o600)
    listed = secrets("list", env=here)
    assert listed.stdout.decode().splitlines()[1].split()[:2] == ["openai", "set"]
    assert CANARY not in said(listed) + listed.stdout.decode()
    assert "These are the secrets of this machine" in said(listed)
    assert secrets("delete", "openai", "--yes", env=here).returncode == 0
    assert not file.exists()


def test_the_hint_names_the_settings_it_was_called_with(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("aws:\n  prefix: manga\n")
    done = secrets("list", "--config", "other.yaml", env=env, cwd=tmp_path)
    assert "mangavid --config other.yaml secrets set openai" in said(done)


# --- deleting --------------------------------------------------------------------------------------------------------


def test_deleting_asks_on_a_terminal_and_does_what_the_answer_says(
    server: str, env: dict[str, str], tmp_path: Path
) -> None:
    secrets("set", "openai", env=env, given=CANARY.encode())
    for answer, code, left in ((b"no\r", 130, CANARY), (b"\r", 130, CANARY), (b"yes\r", 0, None)):
        screen = Screen("secrets", "delete", "openai", env=env, cwd=tmp_path)
        screen.until(lambda text: "Type yes: " in text)
        screen.type(answer)
        assert screen.end() == code, screen.plain
        assert stored(server) == left
        assert "canary" not in screen.text
    assert "The secret openai is deleted. To set it: mangavid secrets set openai" in screen.plain


def test_without_a_terminal_only_yes_deletes(server: str, env: dict[str, str]) -> None:
    secrets("set", "openai", env=env, given=CANARY.encode())
    done = secrets("delete", "openai", env=env, given=b"yes\n")
    assert done.returncode == 2
    assert "hint: mangavid secrets delete openai --yes" in said(done)
    assert stored(server) == CANARY
    assert "is deleted" in said(secrets("delete", "openai", "--yes", env=env))
    assert stored(server) is None
    assert "was not set" in said(secrets("delete", "openai", "--yes", env=env))
    done = secrets("delete", "openai", "--yes", "--json", env=env)
    assert json.loads(done.stdout) == {"deleted": False, "name": "openai", "parameter": PARAMETER}


# --- the command itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["secrets", "--help"], ["secrets", "set", "--help"], ["secrets", "set", "nope"]])
def test_nothing_heavy_is_loaded_before_there_is_something_to_do(
    env: dict[str, str], tmp_path: Path, args: list[str]
) -> None:
    if args[-1] == "nope":
        code = (
            f"import sys\nsys.argv = {['mangavid', *args]!r}\nfrom mangavid.__main__ import main\nassert main() == 2\n"
        )
        code += f"assert not {{name.partition('.')[0] for name in sys.modules}} & {HEAVY!r}\n"
        assert subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, check=False).returncode == 0
    else:
        assert loaded(*args, env=env, cwd=tmp_path) & HEAVY == set()


def test_the_help_names_the_secrets_of_the_table(env: dict[str, str]) -> None:
    names = "|".join(secret.name for secret in SECRETS)
    for command in ("set", "delete"):
        assert f"{{{names}}}" in secrets(command, "--help", env=env).stdout.decode()
    assert all(field in secrets("set", "--help", env=env).stdout.decode() for field in YOUTUBE.fields)
    assert all(secret.what and secret.where for secret in SECRETS)
