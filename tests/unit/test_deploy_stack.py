"""One stack, made, changed, followed and mended, over a CloudFormation that does what no emulator does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.stack import ChangeSet, Stack, State
from mangavid.errors import AuthError, DeployFailed, Interrupted, Locked, MangavidError, UpstreamUnavailable
from tests.fakes.formation import ID, STACK, Formation, Waits, error, stack

URL = "https://s3.eu-west-1.amazonaws.com/some-code/templates/one.json"
QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"


class Watched:
    """A stack on a fake, and what was told of it."""

    def __init__(self, formation: Formation, clock: Waits | None = None) -> None:
        self.formation = formation
        self.steps: list[Step] = []
        self.clock = clock or Waits()
        self.stack = Stack(formation.site(), self.clock)

    def change(self) -> State:
        """Propose, execute, follow."""
        change = self.propose()
        assert change is not None
        seen = self.stack.execute(change)
        return self.stack.follow(State(id=change.stack), self.steps.append, since=seen)

    def propose(self, *, importing: bool = False) -> ChangeSet | None:
        return self.stack.propose(URL, create=not self.formation.status, importing=importing)

    def settle(self) -> State:
        return self.stack.settle(self.steps.append)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one.name, one.status) for one in self.steps if one.what == "stack"]

    @property
    def notes(self) -> list[str]:
        return [one.detail for one in self.steps if one.what == "note"]


def standing(*more: Any, **given: Any) -> Formation:
    return Formation(
        stack("CREATE_IN_PROGRESS"), ("Old", QUEUE, "CREATE_COMPLETE", ""), stack("CREATE_COMPLETE"), *more, **given
    )


# --- a change --------------------------------------------------------------------------------------------------------


def test_a_change_is_told_event_by_event_and_nothing_of_those_before_it() -> None:
    formation = standing()
    formation.scripts["execute_change_set"] = [
        [stack("UPDATE_IN_PROGRESS"), ("Q", QUEUE, "UPDATE_IN_PROGRESS", "")],
        [],
        [("Q", QUEUE, "UPDATE_COMPLETE", ""), stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")],
        [stack("UPDATE_COMPLETE")],
    ]
    seen = Watched(formation)
    assert seen.change().status == "UPDATE_COMPLETE"
    assert seen.told == [
        (STACK, "UPDATE_IN_PROGRESS"),
        ("Q", "UPDATE_IN_PROGRESS"),
        ("Q", "UPDATE_COMPLETE"),
        (STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        (STACK, "UPDATE_COMPLETE"),
    ]


@pytest.mark.parametrize("there", [True, False], ids=["update", "create"])
def test_a_stack_that_is_told_as_before_for_a_while_is_not_taken_for_changed(there: bool) -> None:
    formation = standing() if there else Formation()
    verb = "UPDATE" if there else "CREATE"
    formation.scripts["execute_change_set"] = [
        [],
        [],
        [],
        [stack(f"{verb}_IN_PROGRESS")],
        [],
        [stack(f"{verb}_COMPLETE")],
    ]
    seen = Watched(formation)
    assert seen.change().status == f"{verb}_COMPLETE"
    assert seen.told[-1] == (STACK, f"{verb}_COMPLETE")


def test_a_change_that_never_begins_is_not_waited_for_for_ever() -> None:
    formation = standing()
    formation.scripts["execute_change_set"] = [[]]
    assert Watched(formation).change().status == "CREATE_COMPLETE"


def test_a_create_that_fails_at_once_is_followed_to_where_it_is_gone() -> None:
    formation = Formation()
    formation.scripts["execute_change_set"] = [
        [stack("CREATE_IN_PROGRESS"), ("Q", QUEUE, "CREATE_FAILED", "no"), stack("DELETE_COMPLETE")]
    ]
    seen = Watched(formation)
    assert seen.change().status == "DELETE_COMPLETE"
    assert ("Q", "CREATE_FAILED") in seen.told


def test_a_create_leaves_nothing_of_what_fails_but_what_it_takes_over_keeps_its_own_policy() -> None:
    for importing in (False, True):
        formation = Formation()
        seen = Watched(formation)
        change = seen.propose(importing=importing)
        assert change is not None
        seen.stack.execute(change)
        given = dict(formation.client.calls)
        assert given["create_change_set"]["OnStackFailure"] == "DELETE"
        assert given["create_change_set"].get("ImportExistingResources", False) is importing
        assert given["execute_change_set"].get("RetainExceptOnCreate", False) is not importing


def test_an_execution_whose_answer_was_lost_goes_on_as_it_began() -> None:
    formation = standing()
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None
    formation.client.refuse["execute_change_set"] = [
        error("InvalidChangeSetStatus", "ChangeSet is in EXECUTE_IN_PROGRESS", "ExecuteChangeSet", attempts=1)
    ]
    formation.examined = [{"Status": "CREATE_COMPLETE", "ExecutionStatus": "EXECUTE_IN_PROGRESS"}]
    formation.comes([stack("UPDATE_IN_PROGRESS")], [stack("UPDATE_COMPLETE")])
    before = seen.stack.execute(change)
    assert seen.stack.follow(State(id=ID), seen.steps.append, since=before).status == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("InvalidChangeSetStatus", "cannot be executed in its status [OBSOLETE]", DeployFailed, "by another"),
        ("ChangeSetNotFound", "ChangeSet [x] does not exist", DeployFailed, "by another"),
        ("ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", Locked, "under way"),
    ],
)
def test_a_stack_that_another_changed_meanwhile_is_left_alone(
    code: str, message: str, kind: type[MangavidError], words: str
) -> None:
    formation = standing()
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None
    formation.client.refuse["execute_change_set"] = [error(code, message, "ExecuteChangeSet")]
    with pytest.raises(kind, match=f"{words}.*nothing was changed") as caught:
        seen.stack.execute(change)
    assert "mangavid deploy" in caught.value.hint


@pytest.mark.parametrize("there", [True, False], ids=["update", "create"])
def test_who_may_not_execute_a_change_set_leaves_none(there: bool) -> None:
    formation = standing() if there else Formation()
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None
    formation.client.refuse["execute_change_set"] = [
        error("AccessDenied", "not authorized to perform: cloudformation:ExecuteChangeSet", "ExecuteChangeSet")
    ]
    with pytest.raises(AuthError):
        seen.stack.execute(change)
    assert formation.change_sets == {}
    assert formation.client.called("delete_stack") == ([] if there else ["delete_stack"])


def test_a_stack_that_another_is_making_is_not_taken_away_by_who_came_too_late() -> None:
    for operation in ("describe_change_set", "execute_change_set"):
        formation = Formation()
        seen = Watched(formation)
        change = seen.propose()
        assert change is not None
        formation.client.refuse[operation] = [error("ChangeSetNotFound", "does not exist", operation, status=404)]
        with pytest.raises(DeployFailed, match="by another"):
            seen.stack.execute(change) if operation == "execute_change_set" else seen.stack.propose(
                URL, create=True, importing=False
            )
        assert formation.client.called("delete_stack") == []


def test_a_service_that_does_not_answer_while_a_change_is_watched_is_to_be_tried_again() -> None:
    formation = standing()
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None
    seen.stack.execute(change)
    formation.client.refuse["describe_stacks"] = [EndpointConnectionError(endpoint_url="https://there")]
    with pytest.raises(UpstreamUnavailable):
        seen.stack.follow(State(id=ID), seen.steps.append)
    formation.client.refuse["describe_stacks"] = [error("Throttling", "Rate exceeded", "DescribeStacks")]
    with pytest.raises(UpstreamUnavailable, match="Rate exceeded"):
        seen.settle()


def test_ctrl_c_stops_watching_and_says_that_the_change_goes_on() -> None:
    formation = standing()
    formation.scripts["execute_change_set"] = [[stack("UPDATE_IN_PROGRESS")]]

    def pressed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="AWS goes on") as caught:
        Watched(formation, Waits(at_sleep=pressed)).change()
    assert caught.value.hint == "mangavid deploy follows it again"


# --- a change set ----------------------------------------------------------------------------------------------------


def test_all_pages_of_a_change_set_are_read_and_the_worst_that_is_told_of_a_property_counts() -> None:
    def resource(name: str, replacement: str, *details: tuple[str, str, str], policy: str = "") -> dict[str, Any]:
        told: dict[str, Any] = {
            "Action": "Modify",
            "LogicalResourceId": name,
            "ResourceType": TABLE,
            "Replacement": replacement,
            "Details": [
                {
                    "Target": {"Attribute": "Properties", "Name": field, "RequiresRecreation": recreation},
                    "ChangeSource": source,
                }
                for field, recreation, source in details
            ],
        }
        return {"Type": "Resource", "ResourceChange": told | ({"PolicyAction": policy} if policy else {})}

    direct = "DirectModification"
    formation = standing()
    formation.examined = [
        {"Status": "CREATE_PENDING"},
        {"Status": "CREATE_IN_PROGRESS"},
        {
            "Status": "CREATE_COMPLETE",
            "NextToken": "more",
            "Changes": [
                resource("A", "True", ("Key", "Always", direct), ("Key", "Never", direct), policy="ReplaceAndRetain")
            ],
        },
        {
            "Status": "CREATE_COMPLETE",
            "Changes": [
                resource("B", "Conditional", ("Name", "Always", "ResourceReference"), ("Size", "Never", direct)),
                {"Type": "Resource"},
            ],
        },
    ]
    change = Watched(formation).propose()
    assert change is not None
    assert (change.told["A"].properties, change.told["A"].kept) == ({"Key": "Always"}, True)
    assert (change.told["B"].properties, change.told["B"].replacement) == ({"Size": "Never"}, "Conditional")


@pytest.mark.parametrize(
    "reason",
    ["The submitted information didn't contain changes. Submit other information", "No updates are to be performed."],
)
def test_a_template_that_changes_nothing_leaves_no_change_set(reason: str) -> None:
    formation = standing()
    formation.examined = [{"Status": "FAILED", "StatusReason": reason}]
    assert Watched(formation).propose() is None
    assert formation.change_sets == {}


def test_a_change_of_outputs_alone_is_one_though_it_names_no_resource() -> None:
    formation = standing()
    formation.examined = [{"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "Changes": []}]
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None and change.told == {}
    seen.stack.execute(change)
    assert formation.client.called("execute_change_set") == ["execute_change_set"]


def test_what_aws_finds_wrong_before_it_begins_is_told_and_nothing_is_left() -> None:
    formation = Formation()
    formation.examined = [{"Status": "FAILED", "StatusReason": "The following hook(s) failed: [AWS::EarlyValidation]"}]
    formation.validation = [
        {"EventType": "STACK_EVENT", "OperationStatus": "IN_PROGRESS"},
        {
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": "ArtifactBucket",
            "ValidationName": "NAME_CONFLICT_VALIDATION",
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": "Resource of type 'AWS::S3::Bucket' with identifier 'x' already exists.",
            "ValidationPath": "/Resources/ArtifactBucket",
        },
    ]
    with pytest.raises(DeployFailed) as caught:
        Watched(formation).propose()
    assert "ArtifactBucket: Resource of type 'AWS::S3::Bucket' with identifier 'x' already exists." in str(caught.value)
    assert caught.value.exit_code == 4
    assert formation.change_sets == {}
    assert formation.client.called("delete_change_set", "delete_stack") == ["delete_change_set", "delete_stack"]


def test_an_endpoint_that_can_not_tell_what_is_wrong_hides_nothing_of_what_is_known() -> None:
    formation = standing()
    formation.examined = [{"Status": "FAILED", "StatusReason": "Transform failed"}]
    formation.client.refuse["describe_events"] = [error("InvalidAction", "no such action", "DescribeEvents")]
    with pytest.raises(DeployFailed, match=r"AWS refuses the template: Transform failed$"):
        Watched(formation).propose()


@pytest.mark.parametrize(
    ("code", "message", "kind", "exit_code"),
    [
        ("ValidationError", "Template may not exceed 1000000 bytes in size.", DeployFailed, 4),
        ("ValidationError", "Template format error: Unresolved resource dependencies [X]", DeployFailed, 4),
        ("ValidationError", "S3 error: Access Denied", AuthError, 7),
        ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]", DeployFailed, 4),
        ("LimitExceededException", "Limit for stack has been exceeded", DeployFailed, 4),
        ("AccessDenied", "User: an is not authorized to perform: cloudformation:CreateChangeSet", AuthError, 7),
        ("Throttling", "Rate exceeded", UpstreamUnavailable, 6),
        ("ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", Locked, 8),
        ("ValidationError", "Stack [s] already exists and cannot be created again with the changeSet", DeployFailed, 4),
    ],
)
def test_a_change_set_that_aws_refuses_says_why_by_its_exit_code(
    code: str, message: str, kind: type[MangavidError], exit_code: int
) -> None:
    formation = standing()
    formation.client.refuse["create_change_set"] = [error(code, message, "CreateChangeSet")]
    with pytest.raises(kind) as caught:
        Watched(formation).propose()
    assert type(caught.value).exit_code == exit_code
    assert caught.value.hint
    if kind is not Locked:
        assert message in str(caught.value)


@pytest.mark.parametrize("there", [True, False], ids=["update", "create"])
@pytest.mark.parametrize("problem", [KeyboardInterrupt(), error("Throttling", "", "DescribeChangeSet")])
def test_a_change_set_is_taken_away_when_looking_at_it_is_broken_off(problem: BaseException, there: bool) -> None:
    formation = standing() if there else Formation()
    formation.client.refuse["describe_change_set"] = [problem]
    with pytest.raises((KeyboardInterrupt, UpstreamUnavailable)):
        Watched(formation).propose()
    assert formation.change_sets == {}
    # What AWS made up for the change set goes with it; what stands stays.
    assert formation.client.called("delete_stack") == ([] if there else ["delete_stack"])


def test_a_stack_that_another_is_about_to_make_is_not_taken_away_with_our_change_set() -> None:
    formation = Formation()
    seen = Watched(formation)
    change = seen.propose()
    assert change is not None
    formation.client.create_change_set(StackName=STACK, ChangeSetName="theirs", ChangeSetType="CREATE")
    seen.stack.discard(change)
    assert [one["ChangeSetName"] for one in formation.change_sets.values()] == ["theirs"]
    assert formation.client.called("delete_stack") == []


def test_change_sets_of_ours_that_were_left_are_taken_away_and_those_of_others_stay() -> None:
    formation = standing()
    for name in ("mangavid-0123", "by-hand"):
        formation.client.create_change_set(StackName=STACK, ChangeSetName=name, ChangeSetType="UPDATE")
    Watched(formation).propose()
    names = [one["ChangeSetName"] for one in formation.change_sets.values()]
    assert "by-hand" in names and "mangavid-0123" not in names and len(names) == 2


def test_a_change_set_that_another_takes_away_meanwhile_is_told_so() -> None:
    formation = standing()
    formation.client.refuse["describe_change_set"] = [
        error("ChangeSetNotFound", "ChangeSet [x] does not exist", "DescribeChangeSet", status=404)
    ]
    with pytest.raises(DeployFailed, match="changed by another meanwhile"):
        Watched(formation).propose()


# --- settling --------------------------------------------------------------------------------------------------------


def test_nothing_is_settled_where_nothing_stands_or_all_is_well() -> None:
    for formation in (Formation(), standing(), standing(stack("UPDATE_ROLLBACK_COMPLETE"))):
        seen = Watched(formation)
        assert seen.settle().status == formation.status
        assert (seen.steps, formation.client.called()) == ([], [])


@pytest.mark.parametrize(
    "status", ["REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"]
)
def test_what_was_left_half_made_is_taken_away(status: str) -> None:
    formation = Formation(stack("CREATE_IN_PROGRESS"), stack(status))
    seen = Watched(formation)
    assert seen.settle() == State()
    assert formation.client.called() == ["delete_stack"]
    assert status in seen.notes[0]


def test_a_stack_that_is_only_proposed_is_first_left_to_who_proposed_it() -> None:
    formation = Formation()
    formation.client.create_change_set(StackName=STACK, ChangeSetName="theirs", ChangeSetType="CREATE")
    formation.comes([], [], [stack("CREATE_IN_PROGRESS")], [], [stack("CREATE_COMPLETE")])
    seen = Watched(formation)
    assert seen.settle().status == "CREATE_COMPLETE"
    assert formation.client.called("delete_stack") == []
    # One who never comes back is not waited for for long.
    formation = Formation()
    formation.client.create_change_set(StackName=STACK, ChangeSetName="theirs", ChangeSetType="CREATE")
    seen = Watched(formation)
    assert seen.settle() == State()
    assert seen.clock.slept < 30


def test_a_stack_that_another_takes_away_while_it_is_followed_is_gone() -> None:
    formation = Formation(stack("REVIEW_IN_PROGRESS"))
    seen = Watched(formation)
    formation.client.refuse["describe_stack_events"] = [
        error("ValidationError", f"Stack [{STACK}] does not exist", "DescribeStackEvents")
    ]
    assert seen.settle() == State()


def test_a_stack_that_can_not_be_deleted_names_what_is_in_the_way() -> None:
    formation = Formation(stack("CREATE_IN_PROGRESS"), stack("DELETE_FAILED"))
    formation.scripts["delete_stack"] = [
        [stack("DELETE_IN_PROGRESS")],
        [
            ("Group", "AWS::EC2::SecurityGroup", "DELETE_FAILED", "resource sg-1 has a dependent object"),
            stack("DELETE_FAILED", "The following resource(s) failed to delete: [Group]. "),
        ],
    ]
    with pytest.raises(DeployFailed, match=r"Group \(AWS::EC2::SecurityGroup\): resource sg-1 has a dependent object"):
        Watched(formation).settle()


def test_a_stack_that_may_not_be_deleted_says_so() -> None:
    formation = Formation(stack("ROLLBACK_COMPLETE"))
    formation.client.refuse["delete_stack"] = [
        error("AccessDenied", "not authorized to perform: cloudformation:DeleteStack", "DeleteStack")
    ]
    with pytest.raises(AuthError, match="DeleteStack"):
        Watched(formation).settle()


def test_a_change_under_way_is_followed_from_where_it_began_and_no_further_back() -> None:
    formation = standing(
        stack("UPDATE_IN_PROGRESS"),
        ("Older", QUEUE, "UPDATE_COMPLETE", ""),
        stack("UPDATE_COMPLETE"),
        stack("UPDATE_IN_PROGRESS"),
        ("Now", QUEUE, "UPDATE_IN_PROGRESS", ""),
    )
    formation.comes([], [("Now", QUEUE, "UPDATE_COMPLETE", "")], [], [stack("UPDATE_COMPLETE")])
    seen = Watched(formation)
    assert seen.settle().status == "UPDATE_COMPLETE"
    assert seen.told == [
        (STACK, "UPDATE_IN_PROGRESS"),
        ("Now", "UPDATE_IN_PROGRESS"),
        ("Now", "UPDATE_COMPLETE"),
        (STACK, "UPDATE_COMPLETE"),
    ]
    assert "a change is under way (UPDATE_IN_PROGRESS)" in seen.notes[0]


def test_following_a_long_history_reads_only_the_pages_of_the_change() -> None:
    old = [("Old", QUEUE, "UPDATE_COMPLETE", "")] * 300
    formation = standing(*old, stack("UPDATE_COMPLETE"), stack("UPDATE_IN_PROGRESS"))
    formation.comes([], [], [stack("UPDATE_COMPLETE")])
    Watched(formation).settle()
    assert len(formation.client.called("describe_stack_events")) < 12


def test_a_create_that_another_began_and_that_fails_is_followed_and_then_taken_away() -> None:
    formation = Formation(stack("REVIEW_IN_PROGRESS"), stack("CREATE_IN_PROGRESS"))
    formation.comes([stack("ROLLBACK_IN_PROGRESS")], [stack("ROLLBACK_COMPLETE")])
    seen = Watched(formation)
    assert seen.settle() == State()
    assert formation.client.called() == ["delete_stack"]


def test_a_create_that_another_began_and_that_deletes_itself_leaves_nothing_to_do() -> None:
    formation = Formation(stack("CREATE_IN_PROGRESS"))
    formation.comes([stack("ROLLBACK_IN_PROGRESS")], [stack("DELETE_IN_PROGRESS")], [stack("DELETE_COMPLETE")])
    assert Watched(formation).settle() == State()
    assert formation.client.called() == []


FAILED_TWICE = (
    stack("UPDATE_IN_PROGRESS"),
    ("Alarm", "AWS::CloudWatch::Alarm", "UPDATE_FAILED", "Threshold is required"),
    stack("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Alarm]. "),
    ("Fn", "AWS::Lambda::Function", "UPDATE_FAILED", "S3 Error Code: NoSuchKey"),
    stack("UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Fn]. "),
)


def test_a_rollback_that_failed_is_tried_again_and_only_that_is_told() -> None:
    formation = standing(*FAILED_TWICE)
    formation.scripts["continue_update_rollback"] = [
        [],
        [stack("UPDATE_ROLLBACK_IN_PROGRESS")],
        [("Fn", "AWS::Lambda::Function", "UPDATE_COMPLETE", ""), stack("UPDATE_ROLLBACK_COMPLETE")],
    ]
    seen = Watched(formation)
    assert seen.settle().status == "UPDATE_ROLLBACK_COMPLETE"
    assert formation.client.called() == ["continue_update_rollback"]
    assert seen.told[0] == (STACK, "UPDATE_ROLLBACK_IN_PROGRESS")
    assert ("Fn", "UPDATE_COMPLETE") in seen.told


def test_a_rollback_that_fails_again_names_what_is_stuck_and_how_to_leave_it_so() -> None:
    formation = standing(*FAILED_TWICE)
    formation.scripts["continue_update_rollback"] = [[stack("UPDATE_ROLLBACK_IN_PROGRESS")], list(FAILED_TWICE[-2:])]
    with pytest.raises(DeployFailed, match=r"^Fn \(AWS::Lambda::Function\): S3 Error Code: NoSuchKey") as caught:
        Watched(formation).settle()
    assert "--resources-to-skip Fn" in caught.value.hint


def test_a_rollback_that_another_takes_up_at_the_same_time_is_theirs() -> None:
    formation = standing(*FAILED_TWICE)
    formation.client.refuse["continue_update_rollback"] = [
        error(
            "ValidationError",
            "Stack [arn] is in UPDATE_ROLLBACK_IN_PROGRESS state and can not continue rollback",
            "ContinueUpdateRollback",
        )
    ]
    with pytest.raises(Locked, match="UPDATE_ROLLBACK_IN_PROGRESS"):
        Watched(formation).settle()


@pytest.mark.parametrize(
    ("status", "busy", "stands", "changeable"),
    [
        ("", False, False, False),
        ("CREATE_COMPLETE", False, True, True),
        ("UPDATE_ROLLBACK_COMPLETE", False, True, True),
        ("UPDATE_IN_PROGRESS", True, True, False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True, True, False),
        ("UPDATE_ROLLBACK_FAILED", False, True, False),
        ("REVIEW_IN_PROGRESS", False, False, False),
        ("ROLLBACK_COMPLETE", False, False, False),
        ("DELETE_COMPLETE", False, False, False),
    ],
)
def test_how_a_stack_stands(status: str, busy: bool, stands: bool, changeable: bool) -> None:
    state = State(status=status)
    assert (state.busy, state.stands, state.changeable) == (busy, stands, changeable)
