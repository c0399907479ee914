"""Differential: the same scenarios on our engine (virtual clock) and on moto's Step Functions give the same runs.

Compared are status, output, error, cause, the path of states, and every event with ids, order and details.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sfn import moto_side, ours, pipeline, scenarios
from tests.integration.sfn.behaviour import Scenario, View
from tests.integration.sfn.defects import ALL, KNOWN

SCENARIOS = [*scenarios.every(), *pipeline.every()]

pytestmark = [
    pytest.mark.slow,
    # moto's threads speak of deprecated things in the libraries below it.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def moto_views() -> dict[str, View]:
    with pytest.MonkeyPatch.context() as patch:
        return moto_side.play(SCENARIOS, patch)


def unlike(scenario: Scenario, moto: View, mine: View) -> list[str]:
    """The fields that differ though no named defect spoils them."""
    spoilt = {field for name in scenario.defects for field in KNOWN[name].spoils}
    return [
        f"{field}:\n  moto {getattr(moto, field)}\n  ours {getattr(mine, field)}"
        for field in ALL
        if field not in spoilt and getattr(moto, field) != getattr(mine, field)
    ]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_a_scenario_runs_the_same_on_our_engine_and_on_moto(
    scenario: Scenario, moto_views: dict[str, View], tmp_path: Path
) -> None:
    moto, mine = moto_views[scenario.name], ours.play(scenario, tmp_path)
    assert not (found := unlike(scenario, moto, mine)), "\n".join(found)
    for name in scenario.defects:
        assert KNOWN[name].shows(moto, mine), f"moto is mended: «{name}» no longer shows in {scenario.name}"


def test_there_are_enough_scenarios_each_with_its_own_name() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names)) >= 100
    assert sum(not scenario.defects for scenario in SCENARIOS) >= 80


def test_every_known_defect_is_shown_by_a_scenario() -> None:
    assert {name for scenario in SCENARIOS for name in scenario.defects} == KNOWN.keys()


def test_the_pipelines_scenarios_pass_every_state_of_it(tmp_path: Path) -> None:
    nights = pipeline.every()
    passed = {state for scenario in nights for state in ours.play(scenario, tmp_path).path}
    assert passed == nights[0].definition["States"].keys()


def test_a_difference_that_no_defect_explains_is_found(tmp_path: Path) -> None:
    one, other = scenarios.data_flow()[:2]
    first, second = ours.play(one, tmp_path), ours.play(other, tmp_path)
    assert unlike(one, first, first) == []
    assert any(line.startswith("output") for line in unlike(one, first, second))
