"""Whatever stands in a definition: it is accepted, or refused with reasons; nothing else happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from mangavid import asl
from mangavid.asl.lint import lint
from mangavid.errors import UnsupportedDefinition
from mangavid.local.engine.definition import load

ODD = [None, True, False, 0, -1, 1.5, 10**30, "", "x", "$", "$.a[", "States.Format(", [], [1], [[]], {}, {"a": {}}]
ODD += [["States.ALL"], [{"ErrorEquals": 5}], {"Next": ["x"]}, "đêm \x1b[31m", "$" * 500, {"x.$": 5}, {"x.$": "$.a.b"}]


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*here, key))


def mutant(random: Random) -> dict[str, Any]:
    definition = copy.deepcopy(asl.local_definition())
    for _ in range(random.randint(1, 3)):
        place = random.choice(list(places(definition)))
        holder: Any = definition
        for key in place[:-1]:
            holder = holder[key]
        if random.random() < 0.15:
            del holder[place[-1]]
        elif random.random() < 0.15 and isinstance(holder, dict):
            holder[random.choice(["Odd", "Assign", "Next", "End", "Retry", "Result"])] = random.choice(ODD)
        else:
            holder[place[-1]] = copy.deepcopy(random.choice(ODD))
    return definition


@pytest.mark.parametrize("seed", range(40))
def test_anything_anywhere_is_accepted_or_refused_with_reasons(seed: int) -> None:
    random = Random(seed)
    for _ in range(10):
        definition = mutant(random)
        try:
            load(definition)
        except UnsupportedDefinition as problem:
            assert len(str(problem).splitlines()) >= 2, json.dumps(definition)
        assert all(isinstance(line, str) for line in lint(definition))
