"""Files that travel with the package though they stand outside it in a checkout (see force-include in pyproject)."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def bundled(name: str, *, package: Path = _PACKAGE) -> Path:
    """Where a file or folder such as ``statemachine.asl.json`` is: in the wheel's ``_bundle``, else beside the package.

    Raises FileNotFoundError: the installation is broken.
    """
    for folder in (package / "_bundle", package.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {package / '_bundle'} nor in {package.parent}")
