"""Takes in every hostile chapter in one process that is watched: a line of JSON each, and one about the process.

    python -m tests.faults.hostile_child FOLDER

Every file opened to be written, every folder made, every connection and every program started is counted.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from mangavid import yamlfile
from mangavid.errors import MangavidError
from mangavid.sources.local import ChapterSource

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MAKES = frozenset(
    ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "os.chmod", "os.truncate", "os.mkfifo")
)


class Watch:
    """What this process did to the world outside while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
            if isinstance(arguments[0], str | bytes) and arguments[0] != os.devnull:  # numbers are pipes to a child
                self.seen.append(f"writes {arguments[0]}")
        elif event in MAKES or event.startswith(("socket.", "shutil.", "ctypes.dlopen")):
            self.seen.append(f"{event} {arguments}")
        elif event == "subprocess.Popen" and not str(arguments[1][-1]).endswith("decoder.py"):
            self.seen.append(f"starts {arguments[1]}")


def attempt(path: Path) -> dict[str, Any]:
    try:
        source = ChapterSource([path], yamlfile.plain)
        (found,) = source.find()
        fetched = source.fetch(found)
    except MangavidError as problem:
        return {"error": type(problem).__name__, "message": str(problem), "hint": problem.hint}
    except Exception:
        return {"error": "a traceback", "message": traceback.format_exc(), "hint": ""}
    return {
        "pages": [[page.name, page.ext, page.width, page.height] for page in fetched.pages],
        "texts": [found.series, found.number, found.title, *fetched.skipped, *fetched.notes, *fetched.credits.authors],
    }


def peak() -> int:
    """Bytes this process held at most. On Linux not from rusage: that counts from what the parent held at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(folder: Path) -> None:
    from tests.faults import hostile

    watch = Watch()
    for number, name in enumerate(hostile.CASES):
        path = hostile.build(name, folder / str(number))
        watch.seen.clear()
        watch.on = True
        result = attempt(path)
        watch.on = False
        print(json.dumps({"case": name, "did": watch.seen, **result}), flush=True)
    print(json.dumps({"case": "", "peak": peak()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
