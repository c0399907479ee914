"""Two templates held against each other: nothing that differs is lost, and each value is told where it stands."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.aws.deploy.difference import Change, Property, Told, beside, both, changes, judged, shown
from tests.stacks import made

Json = dict[str, Any]


def template(**resources: Any) -> Json:
    return {"Resources": resources}


def queue(**properties: Any) -> Json:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def properties(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """What is told of one resource whose property P was ``before`` and becomes ``after``."""
    found = changes(template(Q=queue(P=before)), template(Q=queue(P=after)))
    return [(one.path, one.before, one.after) for change in found for one in change.properties]


# --- properties ------------------------------------------------------------------------------------------------------


def test_our_own_template_differs_from_itself_in_nothing() -> None:
    assert changes(made(), json.loads(json.dumps(made()))) == ()
    assert beside(made(), json.loads(json.dumps(made()))) == ()


def test_a_setting_shows_up_as_the_values_it_changes_and_no_others() -> None:
    found = changes(made(), made(log_days=7))
    assert {one.type for one in found} == {"AWS::Logs::LogGroup"}
    assert {one.properties for one in found} == {(Property(path="RetentionInDays", before=30, after=7),)}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (1, 2, [("P", 1, 2)]),
        ({"A": {"B": 1, "C": 2}}, {"A": {"B": 1, "C": 3}}, [("P.A.C", 2, 3)]),
        ({"A": 1}, {"B": 2}, [("P.A", 1, None), ("P.B", None, 2)]),
        (True, 1, [("P", True, 1)]),
        ("1", 1, [("P", "1", 1)]),
        ({"A": None}, {}, [("P.A", "null", None)]),
        ({}, {"A": None}, [("P.A", None, "null")]),
        (None, 0, [("P", "null", 0)]),
        ([None], [], [("P[0]", "null", None)]),
        ({"A": 1}, "text", [("P", {"A": 1}, "text")]),
    ],
)
def test_a_value_is_told_by_where_it_stands(before: Any, after: Any, told: Any) -> None:
    assert properties(before, after) == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (["a", "b"], ["a", "c"], [("P[b]", "b", None), ("P[c]", None, "c")]),
        (["a", "b"], ["b", "a"], [("P", ["a", "b"], ["b", "a"])]),
        (["a", "a"], ["a"], [("P", ["a", "a"], ["a"])]),
        ([], ["a"], [("P[a]", None, "a")]),
        ([1, [2]], [1, [3]], [("P[1][0]", 2, 3)]),
        (
            [{"Key": "k", "Value": 1}, {"Key": "l", "Value": 2}],
            [{"Key": "m", "Value": 3}, {"Key": "k", "Value": 1}, {"Key": "l", "Value": 4}],
            [("P[l].Value", 2, 4), ("P[m]", None, {"Key": "m", "Value": 3})],
        ),
        (
            [{"Key": "k", "Value": 1}, {"Key": "k", "Value": 2}],
            [{"Key": "k", "Value": 1}, {"Key": "k", "Value": 3}],
            [
                (
                    "P",
                    [{"Key": "k", "Value": 1}, {"Key": "k", "Value": 2}],
                    [{"Key": "k", "Value": 1}, {"Key": "k", "Value": 3}],
                )
            ],
        ),
    ],
)
def test_entries_of_a_list_are_told_by_their_names_and_none_is_lost(before: Any, after: Any, told: Any) -> None:
    assert properties(before, after) == told


def test_a_statement_of_a_policy_is_told_by_its_sid() -> None:
    def policy(*actions: str) -> Json:
        said = {"Sid": "Read", "Effect": "Allow", "Action": list(actions)}
        return {"Statement": [{"Sid": "First", "Effect": "Deny"}, said]}

    assert properties(policy("s3:GetObject"), policy("s3:GetObject", "s3:PutObject")) == [
        ("P.Statement[Read].Action[s3:PutObject]", None, "s3:PutObject")
    ]


# --- JSON in text ----------------------------------------------------------------------------------------------------


def asl(**state: Any) -> str:
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **state}}})


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: {"Fn::Sub": text}, lambda text: {"Fn::Base64": text}])
def test_a_definition_in_text_is_opened(wrap: Any) -> None:
    path = "P.States.A"
    assert properties(wrap(asl(Result=1)), wrap(asl(Result=2))) == [(f"{path}.Result", 1, 2)]
    # A null is not the same as nothing: of ResultPath it drops the result.
    assert properties(wrap(asl()), wrap(asl(ResultPath=None))) == [(f"{path}.ResultPath", None, "null")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": 1}', '{"a":1}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ({"Fn::Sub": "x"}, "x"),
        ({"Fn::Sub": '{"a": 1}'}, {"Fn::Base64": '{"a": 1}'}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1', '{"a": 2'),
        ("{" * 100_000, "{" * 100_001),
    ],
)
def test_text_that_only_is_written_otherwise_is_still_told(before: Any, after: Any) -> None:
    assert properties(before, after) == [("P", before, after)]


# --- resources -------------------------------------------------------------------------------------------------------


def test_resources_are_added_changed_and_removed_in_this_order() -> None:
    found = changes(template(B=queue(), C=queue(A=1)), template(C=queue(A=2), D=queue(), A=queue()))
    assert [(one.action, one.id) for one in found] == [("add", "A"), ("add", "D"), ("change", "C"), ("remove", "B")]
    assert [(one.action, one.id) for one in changes(None, template(B=queue(), A=queue()))] == [
        ("add", "A"),
        ("add", "B"),
    ]


def test_another_type_under_the_same_id_is_made_anew() -> None:
    (found,) = changes(template(Q=queue()), template(Q={"Type": "AWS::SNS::Topic", "UpdateReplacePolicy": "Retain"}))
    assert (found.action, found.kept, found.type) == ("replace", True, "AWS::SNS::Topic")
    assert Property(path="Type", before="AWS::SQS::Queue", after="AWS::SNS::Topic") in found.properties


def test_what_a_resource_has_beside_its_properties_is_told_but_for_notes_in_it() -> None:
    before, after = queue(A=1), {**queue(A=1), "DeletionPolicy": "Retain", "DependsOn": ["R"], "Metadata": {"why": 1}}
    (found,) = changes(template(Q=before), template(Q=after))
    assert {one.path for one in found.properties} == {"DeletionPolicy", "DependsOn"}
    assert changes(template(Q=queue(A=1)), template(Q={**queue(A=1), "Metadata": {"why": 1}})) == ()
    assert changes(template(Q={"Type": "T"}), template(Q={"Type": "T", "Properties": {}})) == ()


def test_a_removed_resource_that_outlives_the_stack_is_kept() -> None:
    keeps = {**queue(), "DeletionPolicy": "Retain"}
    assert [(one.id, one.kept) for one in changes(template(K=keeps, Q=queue()), template())] == [
        ("K", True),
        ("Q", False),
    ]


def test_what_stands_beside_the_resources_is_told_apart() -> None:
    before = {"Description": "old", "Resources": {}, "Outputs": {"A": {"Value": 1}}}
    after = {"Description": "new", "Resources": {"Q": queue()}, "Outputs": {"A": {"Value": 2}}}
    assert {one.path for one in beside(before, after)} == {"Description", "Outputs.A.Value"}
    assert beside(None, after) == ()


# --- what the change set says ----------------------------------------------------------------------------------------

CHANGED = Change(action="change", id="Q", type="T", properties=(Property(path="Name.Part", before=1, after=2),))


@pytest.mark.parametrize(
    ("told", "action", "perhaps"),
    [
        (Told(type="T", replacement="False"), "change", False),
        (Told(type="T", replacement="Conditional"), "change", True),
        (Told(type="T", replacement="True"), "replace", False),
        (Told(type="T", replacement="Conditional", properties={"Name": "Always"}), "replace", False),
        (Told(type="T", replacement="Conditional", properties={"Name": "Never"}), "change", False),
        (Told(type="T", replacement="False", properties={"Name": "Conditionally"}), "change", True),
        # Its own change would not, but what it refers to is made anew.
        (Told(type="T", replacement="True", properties={"Name": "Never"}), "replace", False),
    ],
)
def test_replacing_is_told_where_aws_is_sure_of_it_and_perhaps_where_it_is_not(
    told: Told, action: str, perhaps: bool
) -> None:
    (found,) = judged((CHANGED,), {"Q": told})
    assert (found.action, found.perhaps, found.properties) == (action, perhaps, CHANGED.properties)


def test_what_is_replaced_and_kept_is_told_so() -> None:
    (found,) = judged((CHANGED,), {"Q": Told(type="T", replacement="True", kept=True)})
    assert found.kept


def test_what_depends_on_a_change_is_told_only_where_it_is_replaced() -> None:
    told = {
        "Q": Told(type="T", replacement="False"),
        "Same": Told(type="T", replacement="Conditional"),
        "Anew": Told(type="T", replacement="True", kept=True),
    }
    assert judged((CHANGED,), told) == (CHANGED, Change(action="replace", id="Anew", type="T", kept=True))


def test_a_resource_that_is_added_is_not_judged() -> None:
    added = Change(action="add", id="Q", type="T")
    assert judged((added,), {"Q": Told(type="T", replacement="True")}) == (added,)


# --- in one line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "–"),
        ("a\n  b", "a b"),
        ({"Ref": "Table"}, "<Table>"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "<Table.Arn>"),
        ({"Fn::GetAtt": "Table.Arn"}, "<Table.Arn>"),
        ({"Fn::GetAtt": 5}, '{"Fn::GetAtt": 5}'),
        ({"b": 1, "a": True}, '{"a": true, "b": 1}'),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 32 + "…" + "x" * 22),
    ],
)
def test_a_value_fits_one_line(value: Any, line: str) -> None:
    assert shown(value) == line


def test_long_values_that_differ_in_the_middle_are_shown_where_they_do() -> None:
    before, after = both(Property(path="P", before="a" * 100 + "1" + "b" * 100, after="a" * 100 + "2" + "b" * 100))
    assert before != after
    assert "a1b" in before and "a2b" in after
    assert max(len(before), len(after)) <= 64


# --- any documents ---------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(["{}", "{"]),
)
keys = st.sampled_from(["Sid", "Key", "Name", "Fn::Sub", "Fn::Base64", "Ref", "Fn::GetAtt", "a", "b", "", "a.b", "[0]"])
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=3).map(json.dumps)
    ),
    max_leaves=20,
)


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(documents, documents)
def test_two_documents_have_no_difference_exactly_where_they_are_the_same(before: Any, after: Any) -> None:
    assert (properties(before, after) == []) == (canonical(before) == canonical(after))
    assert properties(before, copy.deepcopy(before)) == []


@given(documents, st.data())
def test_one_value_that_changes_anywhere_is_told_and_nothing_of_the_rest(document: Any, data: st.DataObject) -> None:
    before, after = {"A": document, "B": 1}, {"A": document, "B": data.draw(documents)}
    paths = [path for path, _, _ in properties(before, after)]
    assert all(path.startswith("P.B") for path in paths)
    assert bool(paths) == (canonical(after["B"]) != "1")


@given(documents)
def test_any_value_is_shown_in_one_short_line(value: Any) -> None:
    assert len(shown(value)) <= 64
    assert shown(value) == " ".join(shown(value).split())


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=120)


@given(words, words, words, words)
def test_of_two_long_lines_that_differ_anywhere_what_is_shown_differs(
    begin: str, before: str, after: str, end: str
) -> None:
    first, second = both(Property(path="P", before=begin + before + end, after=begin + after + end))
    assert max(len(first), len(second)) <= 64
    assert (first == second) == (before == after)
