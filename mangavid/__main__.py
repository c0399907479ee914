"""``mangavid`` and ``python -m mangavid``."""

from __future__ import annotations

import sys


def main() -> int:
    """Answer ``--version`` without loading anything; all else is ``mangavid.cli.app``'s."""
    if sys.argv[1:] == ["--version"]:
        from mangavid.version import __version__

        sys.stdout.write(f"mangavid {__version__}\n")
        return 0
    try:
        from mangavid.cli.app import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # while the command line itself was being loaded
        sys.stderr.write("mangavid: stopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
