"""Where a deploy goes, and who does it."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

import mangavid
from mangavid.aws.deploy import preflight
from mangavid.aws.names import Names
from mangavid.aws.session import Clients
from mangavid.config import Config


@dataclass(frozen=True, kw_only=True)
class Site:
    """One channel in one account and region. ``config`` has the network filled in, ``caller`` is an ARN."""

    clients: Clients
    config: Config
    account: str
    region: str
    caller: str

    @property
    def names(self) -> Names:
        return Names(self.config.aws.prefix)

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.names.prefix

    @property
    def artifacts(self) -> str:
        """The bucket of artifacts and finished videos."""
        return self.names.bucket(self.account, self.region)

    @property
    def code(self) -> str:
        """The bucket that packages are uploaded to: outside the stack, which names what lies in it."""
        return self.names.code_bucket(self.account, self.region)


def find(config: Config, clients: Clients | None = None, *, network: bool = True) -> Site:
    """Who and where, by one call; with ``network`` the default VPC where none is set, by two more.

    Raises AuthError, ConfigError, UpstreamUnavailable.
    """
    clients = clients or Clients(config.aws.region or None, profile=config.aws.profile)
    for name in ("sts", "ec2") if network else ("sts",):  # a session makes one client at a time
        _ = clients[name].client
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(clients["sts"].call, "get_caller_identity")
        looked = pool.submit(preflight.network, clients, config) if network else None
        who = asked.result()
        if looked is not None:
            vpc, subnets = looked.result()
            aws = msgspec.structs.replace(config.aws, vpc=vpc, subnets=subnets)
            config = msgspec.structs.replace(config, aws=aws)
    return Site(
        clients=clients,
        config=config,
        account=str(who["Account"]),
        region=clients.region,
        caller=str(who["Arn"]),
    )


def commit() -> str:
    """The git commit that this mangavid is a checkout of, with ``+`` where it was changed since; else its version."""
    folder = Path(mangavid.__file__).parents[1]
    if (folder / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            head = _git(folder, "rev-parse", "--short=12", "HEAD")
            return f"{head}+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else head
    from mangavid.version import __version__

    return __version__


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
