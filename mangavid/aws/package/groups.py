"""What goes into which package: functions that need the same libraries share one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mangavid.functions import MODULES

#: Function, without the channel's prefix, to the folder of its handler in ``lambdas/``.
FOLDERS: Final = MODULES

#: Function, without the channel's prefix, to its handler as Lambda names it.
HANDLERS: Final = {function: f"lambdas.{folder}.handler.handler" for function, folder in FOLDERS.items()}

#: What the functions run on, as Lambda names it.
RUNTIME: Final = "python3.13"
ARCHITECTURE: Final = "arm64"


@dataclass(frozen=True)
class System:
    """Whose wheels are taken: platform as uv names it, and the Python. Empty: those of this machine."""

    platform: str = ""
    python: str = ""


#: Amazon Linux 2023 has glibc 2.34, Ubuntu 24.04 has 2.39. Some libraries have no wheels older than 2.28's.
LAMBDA: Final = System("aarch64-manylinux_2_28", RUNTIME.removeprefix("python"))
WORKER: Final = System("aarch64-manylinux_2_28", "3.12")

#: «Unzipped size must be smaller than 262144000 bytes.» The limit of 50 MB on a zip is for those that are sent within
#: a request; ours are read from S3.
LAMBDA_LIMIT: Final = 262_144_000


@dataclass(frozen=True, kw_only=True)
class Group:
    """One package.

    ``lock`` pins each library to a version and to hashes; the names alone stand in the ``.in`` beside it. ``own`` is
    what the package holds of the code beside ``mangavid``, as paths from the checkout's root. ``limit`` is in bytes,
    unpacked.
    """

    name: str
    system: System
    lock: Path
    own: tuple[str, ...]
    functions: tuple[str, ...] = ()
    limit: int | None = None


def _lock(name: str) -> Path:
    return Path(__file__).parent / "locks" / f"{name}.txt"


def _of_functions(name: str, *functions: str) -> Group:
    return Group(
        name=name,
        system=LAMBDA,
        lock=_lock(name),
        own=tuple(f"lambdas/{FOLDERS[function]}" for function in functions),
        functions=functions,
        limit=LAMBDA_LIMIT,
    )


#: The functions use the boto3 that their runtime brings: 30 MB less for a cold start to load.
GROUPS: Final = (
    Group(name="worker", system=WORKER, lock=_lock("worker"), own=("ec2/renderer", "ec2/uploader")),
    _of_functions("ttsgen", "ttsgen"),
    _of_functions("fetcher", "fetcher"),
    _of_functions("scriptgen", "scriptgen"),
    _of_functions("control", *(one for one in FOLDERS if one not in {"fetcher", "scriptgen", "ttsgen"})),
)

#: Parts of ``mangavid`` that only ever run where a person types.
STAYS_HERE: Final = frozenset(
    {
        "__main__.py",
        "_bundle",
        "asl",
        "aws/costs.py",
        "aws/deploy",
        "aws/inbox.py",
        "aws/package",
        "aws/run.py",
        "aws/stack",
        "aws/tail.py",
        "aws/userdata.py",
        "cli",
        "configfile.py",
        "local",
        "sample",
        "yamlfile.py",
    }
)

#: Services of AWS that code on a machine may open a client for; botocore's descriptions of the rest are left out.
WORKER_SERVICES: Final = ("dynamodb", "ec2", "logs", "s3", "ssm", "stepfunctions", "sts")

#: Files of libraries that no running code reads, as patterns on the path below the package's root. What a file of this
#: list may hold is decided here, so a change makes all packages anew.
PRUNED: Final = (
    # Not reproducible, or about the installation.
    r"(^|/)__pycache__/|\.py[co]$",
    r"^bin/|^\.lock$",
    r"\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json)$",
    # For building, typing and testing.
    r"(^|/)tests/",
    r"\.(pyi|pyx|pxd|pyf|c|h|a|f|f90)$",
    # Trained detectors; 111 MB of Google's APIs; 20 MB of Amazon's.
    r"^cv2/data/.*\.xml$",
    r"^googleapiclient/discovery_cache/documents/",
    rf"^botocore/data/(?!({'|'.join(WORKER_SERVICES)})/)[^/]+/",
)
