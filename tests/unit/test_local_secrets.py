"""Secrets on this machine: files that nobody else may read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mangavid.errors import AuthError
from mangavid.local.secrets import LocalSecrets


def test_a_secret_is_kept_in_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    secrets = LocalSecrets(tmp_path / "home", {})
    secrets.put("youtube-token", '{"refresh_token": "x"}')
    file = Path(secrets.path("youtube-token"))
    assert secrets.get("youtube-token") == '{"refresh_token": "x"}'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(secrets.changed()) == ["youtube-token"]


def test_a_secret_is_replaced_and_deleted_as_a_whole(tmp_path: Path) -> None:
    secrets = LocalSecrets(tmp_path, {})
    secrets.put("openai-api-key", "one")
    secrets.put("openai-api-key", "two")
    assert secrets.get("openai-api-key") == "two"
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["openai-api-key"]
    assert secrets.delete("openai-api-key")
    assert not secrets.delete("openai-api-key")
    assert secrets.changed() == {}


@pytest.mark.parametrize(("name", "command"), [("youtube-token", "auth youtube"), ("openai-api-key", "set openai")])
def test_one_that_is_not_set_says_what_sets_it(tmp_path: Path, name: str, command: str) -> None:
    with pytest.raises(AuthError, match="is not set") as caught:
        LocalSecrets(tmp_path, {}).get(name)
    assert command in caught.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_one_that_others_may_read_is_refused_without_being_read(tmp_path: Path, mode: int) -> None:
    secrets = LocalSecrets(tmp_path, {})
    secrets.put("openai-api-key", "sk-canary")
    file = Path(secrets.path("openai-api-key"))
    file.chmod(mode)
    with pytest.raises(AuthError, match="others may read") as caught:
        secrets.get("openai-api-key")
    assert caught.value.hint == f"chmod 600 {file}"
    assert "canary" not in str(caught.value)


def test_a_key_in_the_environment_need_not_be_on_disk_and_wins(tmp_path: Path) -> None:
    secrets = LocalSecrets(tmp_path, {"OPENAI_API_KEY": " sk-env\n"})
    secrets.put("openai-api-key", "sk-file")
    assert secrets.get("openai-api-key") == "sk-env"
    assert LocalSecrets(tmp_path, {"OPENAI_API_KEY": ""}).get("openai-api-key") == "sk-file"
