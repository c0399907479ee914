"""``python -m tests.bench [NAME [ARGUMENTS…]]``: run one benchmark, or all of them with their defaults."""

from __future__ import annotations

import importlib
import sys

#: Benchmarks by name: modules with ``main(arguments) -> exit code``; the docstring's first line is shown.
BENCHES = ("render", "demo", "startup", "package", "deploy", "scale", "services", "spot")


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        for name in BENCHES:
            print(f"  {name:10}{(importlib.import_module(f'tests.bench.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    if arguments and arguments[0] in BENCHES:
        return int(importlib.import_module(f"tests.bench.{arguments[0]}").main(arguments[1:]))
    if arguments and not arguments[0].startswith("-"):
        print(f"no benchmark is called {arguments[0]}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    return max(int(importlib.import_module(f"tests.bench.{name}").main(arguments)) for name in BENCHES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
