"""``python -m tests.integration.alike SEED…``: play scenarios and tell what came of them."""

from __future__ import annotations

import pprint
import sys
from collections import Counter
from collections.abc import Iterator

from tests.integration.alike.playing import Played, play, players
from tests.integration.alike.scenario import scenario


def main(arguments: list[str]) -> int:
    """A seed, or a range like ``0-199``; of a single one everything is shown."""
    seeds = []
    for one in arguments:
        first, _, last = one.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    happened: Counter[str] = Counter()
    broken = 0
    for seed, played in zip(seeds, _played(seeds), strict=True):
        happened.update(played.happened)
        broken += bool(played.complaints)
        if len(seeds) == 1:
            pprint.pprint(scenario(seed), width=120)
            pprint.pprint(played.outcomes, width=120, sort_dicts=False)
        for complaint in played.complaints:
            print(complaint)
    if len(seeds) > 1:
        print(f"{len(seeds)} scenarios, {broken} wrong; what happened in how many:")
        pprint.pprint(dict(sorted(happened.items())))
    return 1 if broken else 0


def _played(seeds: list[int]) -> Iterator[Played]:
    if len(seeds) == 1:
        yield play(seeds[0])
        return
    with players() as pool:
        yield from pool.map(play, seeds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
