"""A deploy of something small, as a process that can be killed. Account and endpoint come from the environment.

``deploy_child.py FOLDER whole|fast CODE``: what functions and state machine say, a digit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mangavid.aws.deploy.apply import Wanted
from tests.deploying import Account, connected


def main(folder: str, how: str, code: str) -> None:
    with connected() as clients:
        here = Account(Path(folder), clients)
        wanted = small(here, code)
        if how == "fast":
            here.deploy.swap(wanted)
        else:
            here.put(wanted)


def small(here: Account, code: str) -> Wanted:
    return here.wanted(code, said=code, delay=int(code), kept=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
