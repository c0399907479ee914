"""Secrets on this machine: a file each that only its owner may read, below the home folder."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mangavid.errors import AuthError

_FOLDER = "secrets"
#: Variables in which other programs of this kind have them too; they win, so that a key need not be on disk.
VARIABLES = {"openai-api-key": "OPENAI_API_KEY"}


class LocalSecrets:
    """``ports.Secrets``, and setting them. ``openai-api-key`` is the file ``<home>/secrets/openai-api-key``."""

    def __init__(self, home: Path, env: Mapping[str, str] | None = None) -> None:
        """``env``: the environment; the process's own where none is given."""
        self._folder = home / _FOLDER
        self._env = os.environ if env is None else env

    def get(self, name: str) -> str:
        """Raises AuthError where it is not set, or others may read its file."""
        if value := self._env.get(VARIABLES.get(name, ""), "").strip():
            return value
        path = self._folder / name
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise AuthError(f"others may read the secret {name}: {path}", hint=f"chmod 600 {path}")
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            raise AuthError(f"the secret {name} is not set", hint=_how(name)) from None
        except OSError as problem:
            raise AuthError(f"the secret {name} can't be read: {path}: {problem.strerror}", hint=_how(name)) from None

    def put(self, name: str, value: str) -> None:
        """Set or replace: the file is whole or not there, and never readable for others."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, made = tempfile.mkstemp(prefix=".new-", dir=self._folder)  # 0600 from the first
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(value.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(self._folder / name)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> bool:
        """Whether there was one."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def changed(self) -> dict[str, datetime]:
        """Those that are set here, in order, each with when it last was."""
        if not self._folder.is_dir():
            return {}
        return {
            path.name: datetime.fromtimestamp(path.stat().st_mtime, UTC)
            for path in sorted(self._folder.iterdir())
            if not path.name.startswith(".")
        }

    def path(self, name: str) -> str:
        """Where it is kept."""
        return str(self._folder / name)


def _how(name: str) -> str:
    return {"youtube-token": "mangavid auth youtube"}.get(name, f"mangavid secrets set {name.partition('-')[0]}")
