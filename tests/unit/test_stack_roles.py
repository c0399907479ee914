"""Roles of the template: what each may do is what its code does, nowhere wider than AWS knows how to say."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

import pytest

from mangavid.aws.permissions import PERMISSIONS
from mangavid.aws.stack.parts import ANY_RESOURCE, allow, allow_any, logical
from tests.stacks import ACCOUNT, REGION, every_statement, filled, made, of_type, properties, statements

Json = dict[str, Any]
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}:"
WORKERS = {"renderer", "uploader"}
#: What AWS does with a role's rights without a call of our code: for every function, and for one.
BESIDES = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
REAPER = {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}
LAUNCHES = {"ssm:GetParameters"}


@pytest.fixture(scope="module")
def stack() -> Json:
    return made()


def allowed(stack: Json, name: str) -> Iterator[tuple[str, str, Json]]:
    """Action, resource and conditions of everything that a function's or a machine's role allows."""
    for statement in statements(stack, f"{logical(name)}Role"):
        assert statement["Effect"] == "Allow"
        on = statement["Resource"]
        for action in statement["Action"]:
            for resource in [on] if isinstance(on, str) else on:
                yield action, resource, statement.get("Condition", {})


def resource_of(bound: str) -> tuple[str, Json]:
    """What a bound of the table of permissions is in a policy: a resource, and the condition that goes with it."""
    kind, _, what = bound.partition(":")
    match kind:
        case "table":
            return "<JobsTable.Arn>", {"Null": {"dynamodb:LeadingKeys": "false"}}
        case "index":
            return f"<JobsTable.Arn>/index/{what}", {}
        case "object":
            return f"<ArtifactBucket.Arn>/{what}", {}
        case "bucket":
            return "<ArtifactBucket.Arn>", {}
        case "execution":
            return f"arn:aws:states:{REGION}:{ACCOUNT}:execution:manga-pipeline:*", {}
        case "launch" | "instance":
            return f"{EC2}instance/*", {}
        case "role":
            return f"<{what.capitalize()}Role.Arn>", {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        case "log":
            return f"<{what.capitalize()}Logs.Arn>", {}
        case "parameter":
            return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/manga-pipeline/{what}", {}
    assert kind == "any"
    return "*", {}


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_role_allows_every_call_of_its_code_where_the_code_makes_it(stack: Json, name: str) -> None:
    granted = list(allowed(stack, name))
    for action, bounds in PERMISSIONS[name].items():
        for bound in bounds:
            resource, condition = resource_of(bound)
            assert any(
                one == action and on == resource and condition.items() <= under.items() for one, on, under in granted
            ), f"{action} on {bound}"


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_role_allows_no_call_that_its_code_does_not_make(stack: Json, name: str) -> None:
    besides = {"s3:GetObject"} if name in WORKERS else BESIDES  # a machine reads its package
    besides = besides | (REAPER if name == "reaper" else set())
    besides = besides | (LAUNCHES if "ec2:RunInstances" in PERMISSIONS[name] else set())
    assert {action for action, _, _ in allowed(stack, name)} == set(PERMISSIONS[name]) | besides


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_role_reaches_no_object_key_or_item_beyond_those_of_its_code(stack: Json, name: str) -> None:
    calls = {(action, resource_of(bound)[0]) for action, bounds in PERMISSIONS[name].items() for bound in bounds}
    for action, resource, condition in allowed(stack, name):
        if action.startswith("s3:") and not resource.startswith("arn:aws:s3:::some-code/"):
            assert (action, resource) in calls
        if action.startswith("dynamodb:") and action != "dynamodb:Query":
            keys = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert condition["Null"] == {"dynamodb:LeadingKeys": "false"}
            assert {f"table:{key.removesuffix('*')}" for key in keys} <= set(PERMISSIONS[name][action])
        if action.startswith("logs:") and name in WORKERS:
            assert (action, resource) in calls
        if action == "s3:ListBucket":
            assert {f"bucket:{one}" for one in condition["StringLike"]["s3:prefix"]} <= set(PERMISSIONS[name][action])


def test_every_function_and_machine_has_a_role_of_its_own(stack: Json) -> None:
    roles = set(of_type(stack, "AWS::IAM::Role"))
    assert roles == {f"{logical(name)}Role" for name in PERMISSIONS} | {"StateMachineRole", "ScheduleRole"}
    for role in of_type(stack, "AWS::IAM::Role").values():
        assert filled(role["RoleName"]).startswith("manga-pipeline-")
        assert "ManagedPolicyArns" not in role


# --- how wide -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"on_demand_fallback": True}, {"vpc": "", "subnets": ""}])
def test_no_role_has_a_wildcard_for_an_action(settings: Json) -> None:
    for role, statement in every_statement(made(**settings)):
        assert not [action for action in statement["Action"] if "*" in action], role


def test_every_resource_is_named_but_where_aws_knows_none(stack: Json) -> None:
    for role, statement in every_statement(stack):
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= set(ANY_RESOURCE), role
        else:
            assert "*" not in statement["Resource"], role
            assert not set(statement["Action"]) & set(ANY_RESOURCE), role
    assert all(len(reason) > 10 for reason in ANY_RESOURCE.values())


def test_a_statement_without_bounds_can_not_even_be_written() -> None:
    with pytest.raises(AssertionError, match="any resource"):
        allow("Wide", "s3:GetObject", "*")
    with pytest.raises(AssertionError, match="any action"):
        allow("Wide", "s3:*", "arn:aws:s3:::bucket/*")
    with pytest.raises(AssertionError, match="s3:GetObject"):
        allow_any("Wide", "s3:GetObject")


def test_policies_fit_into_a_role(stack: Json) -> None:
    for name in of_type(stack, "AWS::IAM::Role"):
        for policy in properties(stack, name)["Policies"]:
            size = len("".join(str(filled(policy["PolicyDocument"])).split()))
            assert size < 10_240, name


# --- machines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker", ["renderer", "uploader"])
def test_only_this_machine_on_spot_in_its_own_role_can_be_launched(stack: Json, worker: str) -> None:
    other = (WORKERS - {worker}).pop().capitalize()
    for name in (f"start-{worker}", f"{worker}-callback"):
        granted = list(allowed(stack, name))
        (run,) = [under for action, on, under in granted if (action, on) == ("ec2:RunInstances", f"{EC2}instance/*")]
        wanted = run["StringEquals"]
        assert wanted["ec2:InstanceMarketType"] == "spot"
        assert wanted["ec2:MetadataHttpTokens"] == "required"
        assert (wanted["aws:RequestTag/mangavid:role"], wanted["aws:RequestTag/mangavid:prefix"]) == (
            worker,
            "manga-pipeline",
        )
        assert len(wanted["ec2:InstanceType"]) >= 6
        template = f"{EC2}launch-template/<{worker.capitalize()}Template>"
        assert run["ArnEquals"] == {"ec2:LaunchTemplate": template}
        assert {on for action, on, _ in granted if action == "iam:PassRole"} == {f"<{worker.capitalize()}Role.Arn>"}
        assert not [on for _, on, _ in granted if other in on]
        assert {on for action, on, _ in granted if action == "ec2:RunInstances" and "subnet" in on} == {
            f"{EC2}subnet/subnet-0123abcd",
            f"{EC2}subnet/subnet-4567cdef",
        }


def test_full_price_is_allowed_only_where_the_setting_says() -> None:
    def markets(**settings: Any) -> set[str]:
        found = [under.get("StringEquals", {}) for _, _, under in allowed(made(**settings), "start-renderer")]
        return {one["ec2:InstanceMarketType"] for one in found if "ec2:InstanceMarketType" in one}

    assert markets() == {"spot"}
    assert markets(on_demand_fallback=True) == {"spot", "on-demand"}


def test_a_machine_is_ended_by_its_tags_and_tagged_only_as_it_is_launched(stack: Json) -> None:
    for name in PERMISSIONS:
        for action, _, under in allowed(stack, name):
            if action == "ec2:TerminateInstances":
                tags = under["StringEquals"]
                assert tags["aws:ResourceTag/mangavid:prefix"] == "manga-pipeline"
                assert set(tags["aws:ResourceTag/mangavid:role"]) <= WORKERS
            if action == "ec2:CreateTags":
                assert under["StringEquals"]["ec2:CreateAction"] == ["CreateFleet", "RunInstances"]


def test_without_subnets_of_its_own_a_machine_stays_in_the_vpc() -> None:
    for action, resource, under in allowed(made(vpc="", subnets=""), "start-uploader"):
        if action == "ec2:RunInstances" and ":subnet/" in resource:
            assert under == {"ArnEquals": {"ec2:Vpc": f"{EC2}vpc/<Vpc>"}}


@pytest.mark.parametrize(
    ("image", "owner", "parameter"),
    [
        (
            "/aws/service/canonical/ubuntu/x",
            ["099720109477", "amazon"],
            f"arn:aws:ssm:{REGION}::parameter/aws/service/canonical/*",
        ),
        ("/aws/service/ami-amazon-linux-latest/x", "amazon", f"arn:aws:ssm:{REGION}::parameter/aws/service/ami-*"),
        ("/my/image", ACCOUNT, f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/my/image"),
    ],
)
def test_an_image_by_name_must_be_its_publishers(image: str, owner: str, parameter: str) -> None:
    granted = list(allowed(made(image=image), "start-renderer"))
    conditions = [under for action, on, under in granted if action == "ec2:RunInstances" and ":image/" in on]
    assert conditions == [{"StringEquals": {"ec2:Owner": owner}}]
    (looked_up,) = [on for action, on, _ in granted if action == "ssm:GetParameters"]
    assert fnmatch.fnmatchcase(looked_up, parameter)


def test_an_image_by_id_is_the_only_one() -> None:
    granted = list(allowed(made(image="ami-0123abcd"), "start-renderer"))
    images = {on for action, on, _ in granted if action == "ec2:RunInstances" and ":image/" in on}
    assert images == {f"arn:aws:ec2:{REGION}::image/ami-0123abcd"}
    assert "ssm:GetParameters" not in {action for action, _, _ in granted}


def test_the_machine_that_decodes_pages_can_read_no_secret_and_the_one_that_publishes_writes_no_object(
    stack: Json,
) -> None:
    assert not [action for action, _, _ in allowed(stack, "renderer") if action.startswith(("ssm:", "kms:", "secrets"))]
    assert not [action for action, _, _ in allowed(stack, "uploader") if action.startswith(("s3:Put", "s3:Delete"))]
    packages = {on for action, on, _ in allowed(stack, "renderer") if "some-code" in on}
    assert len(packages) == 1
    assert "*" not in packages.pop()


def test_cleanup_can_not_delete_a_finished_video(stack: Json) -> None:
    for name in PERMISSIONS:
        assert not [on for action, on, _ in allowed(stack, name) if action == "s3:DeleteObject" and "/final/" in on]


# --- services -------------------------------------------------------------------------------------------------------


def test_services_may_take_a_role_only_for_this_account_and_this_resource(stack: Json) -> None:
    for name, source in (
        ("StateMachineRole", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:manga-pipeline"),
        ("ScheduleRole", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/manga-pipeline"),
    ):
        (trusted,) = filled(properties(stack, name)["AssumeRolePolicyDocument"]["Statement"])
        assert trusted["Condition"] == {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": [source]},
        }


def test_each_role_is_for_one_service(stack: Json) -> None:
    for name, role in of_type(stack, "AWS::IAM::Role").items():
        (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
        machine = name in ("RendererRole", "UploaderRole")
        expected = {"StateMachineRole": "states", "ScheduleRole": "scheduler"}.get(name, "ec2" if machine else "lambda")
        assert trusted["Principal"] == {"Service": f"{expected}.amazonaws.com"}


def test_the_state_machine_calls_its_functions_and_no_other(stack: Json) -> None:
    called = {
        on
        for statement in statements(stack, "StateMachineRole")
        if statement["Action"] == ["lambda:InvokeFunction"]
        for on in statement["Resource"]
    }
    names = set(PERMISSIONS) - WORKERS - {"reaper"}
    assert called == {f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:manga-pipeline-{name}" for name in names}


def test_policies_of_resources_name_who_they_let_in(stack: Json) -> None:
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in of_type(stack, kind).values():
            for one in policy["PolicyDocument"]["Statement"]:
                assert one["Effect"] == "Deny" or one["Condition"]["StringEquals"]["aws:SourceAccount"]
                assert one["Effect"] == "Deny" or one["Principal"] != "*"


def test_only_the_accounts_administration_has_the_whole_key(stack: Json) -> None:
    for one in filled(properties(stack, "OperationsKey")["KeyPolicy"]["Statement"]):
        if one["Action"] == "kms:*":
            assert one["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        else:
            assert one["Condition"]
            assert not [action for action in one["Action"] if "*" in action]
