"""``python -m tests.recorded DIR [WORD]``: a table of what came of each recording (with WORD in its name).

Exits with 1 where one is different.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.recorded.reading import definitions, recordings
from tests.recorded.replaying import judge


def main(folder: Path, word: str = "") -> int:
    known = definitions(folder)
    for name, definition in known.items():
        if not definition:
            print(f"{'unreadable':14} {name}")
    verdicts: Counter[str] = Counter()
    for recording in recordings(folder):
        if word not in recording.name:
            continue
        result = judge(recording, known)
        verdicts[result.verdict] += 1
        print(f"{result.verdict:14} {recording.name}  ({result.definition or '-'})")
        for line in result.detail:
            print(f"{'':16}{line}")
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "nothing to replay")
    return 1 if verdicts["different"] or not verdicts else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        print("usage: python -m tests.recorded DIR [WORD]", file=sys.stderr)
        raise SystemExit(2)
    raise SystemExit(main(Path(sys.argv[1]), *sys.argv[2:]))
