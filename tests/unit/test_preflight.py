"""What is looked at before a deploy: each check's problem and its ok, missing rights, missing calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cfnlint.data.AdditionalSpecs
import msgspec
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.validate import ParamValidator

from mangavid.aws.deploy import actions, preflight
from mangavid.aws.deploy.preflight import Finding, ensure_service_roles, look, network
from mangavid.aws.failures import failure, not_there
from mangavid.aws.names import Names
from mangavid.aws.session import Clients
from mangavid.aws.stack.functions import SIZES
from mangavid.config import Aws, Config
from mangavid.errors import AuthError, ConfigError, MangavidError, UpstreamUnavailable
from tests.fakes.aws import CLIENTS, cloud, credentials
from tests.stacks import ACCOUNT, REGION, made

Json = dict[str, Any]
Answer = Json | Exception | Callable[[Json], Any]

USER = f"arn:aws:iam::{ACCOUNT}:user/deployer"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
VPC, SUBNETS = "vpc-0123abcd", "subnet-0123abcd, subnet-4567cdef"
IMAGE = "ami-0123456789abcdef0"
SPOT_ROLE = "AWSServiceRoleForEC2Spot"
READS = ("Describe", "Get", "List", "Simulate", "Validate")


def refusal(code: str, message: str = "why", status: int = 400) -> ClientError:
    parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(parsed, "")


DENIED = refusal("AccessDenied", "not for you", 403)
#: Ways in which an endpoint says that it does not have a call: the first is how moto says it within this process.
ABSENT = {
    "not implemented": NotImplementedError("not here"),
    "a page instead of XML": ResponseParserError("Unable to parse response: <!doctype html>"),
    "an unknown action": refusal("InvalidAction"),
    "an unknown operation": refusal("UnknownOperationException"),
    "no code": refusal("404", "", 404),
    "no code, its own fault": refusal("500", "", 500),
    "501": refusal("InternalFailure", "not yet", 501),
}


class Account:
    """An AWS account that answers from a table, by operations; requests and answers are checked by AWS's models.

    ``calls`` is the ledger: operations and what they were asked.
    """

    def __init__(self) -> None:
        self.clients = Clients(REGION, attempts=1)
        self.reset()
        events = self.clients.session
        events.register("provide-client-params", lambda params, context, **_: context.update(asked=params))
        events.register("before-call", self._answer)

    def reset(self) -> None:
        self.answers: dict[str, Answer] = dict(GOOD)
        self.calls: list[tuple[str, Json]] = []

    def asked(self, operation: str) -> list[Json]:
        return [asked for name, asked in self.calls if name == operation]

    def _answer(self, model: Any, context: Json, **_: object) -> tuple[AWSResponse, Json]:
        self.calls.append((model.name, context["asked"]))
        answer = self.answers[model.name]
        if callable(answer):
            answer = answer(context["asked"])
        if isinstance(answer, ClientError):
            status = answer.response["ResponseMetadata"]["HTTPStatusCode"]
            return AWSResponse("", status, {}, None), dict(answer.response)
        if isinstance(answer, Exception):
            raise answer
        wrong = ParamValidator().validate(answer, model.output_shape)
        assert not wrong.has_errors(), wrong.generate_report()
        return AWSResponse("", 200, {}, None), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def filtered(key: str, rows: list[Json], **by: str) -> Callable[[Json], Json]:
    """An answer with those rows that the filters of the request leave; ``by`` names the fields of filters."""

    def answer(asked: Json) -> Json:
        left = rows
        for one in asked.get("Filters", ()):
            field = by[one["Name"].replace("-", "_")]
            left = [row for row in left if str(row[field]).lower() in one["Values"]]
        return {key: left}

    return answer


def vpcs(*rows: Json) -> Callable[[Json], Json]:
    return filtered("Vpcs", list(rows), vpc_id="VpcId", is_default="IsDefault")


def subnets(*rows: Json) -> Callable[[Json], Json]:
    return filtered("Subnets", list(rows), vpc_id="VpcId", subnet_id="SubnetId", default_for_az="DefaultForAz")


def subnet(name: str, zone: str = "a", *, vpc: str = VPC, public: bool = True, default: bool = False) -> Json:
    return {
        "SubnetId": name,
        "VpcId": vpc,
        "AvailabilityZone": REGION + zone,
        "MapPublicIpOnLaunch": public,
        "DefaultForAz": default,
    }


def tables(*rows: tuple[str, Json]) -> Json:
    """Route tables with one default route each; ``main`` is the main one, else the subnet's of that name."""
    return {
        "RouteTables": [
            {
                "Associations": [{"Main": True} if name == "main" else {"Main": False, "SubnetId": name}],
                "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}, route],
            }
            for name, route in rows
        ]
    }


def default_route(**to: str) -> Json:
    return {"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **to}


def kind(name: str, vcpus: int, architecture: str = "arm64") -> Json:
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": vcpus},
        "ProcessorInfo": {"SupportedArchitectures": [architecture]},
    }


def types(*missing: str) -> dict[str, Answer]:
    """EC2's instance types: what the settings name, less some."""
    vcpus = {"2xlarge": 8, "medium": 1, "small": 2}
    names = [*Aws().renderer_types.split(), *Aws().uploader_types.split(), "t9.nano"]
    rows = [kind(name, vcpus.get(name.split(".")[1], 2)) for name in names if name not in missing]
    return {
        "DescribeInstanceTypes": {"InstanceTypes": rows},
        "DescribeInstanceTypeOfferings": filtered(
            "InstanceTypeOfferings",
            [{"InstanceType": row["InstanceType"]} for row in rows],
            instance_type="InstanceType",
        ),
    }


def image(**fields: Any) -> Json:
    row = {
        "ImageId": IMAGE,
        "Name": "ubuntu/images/noble",
        "State": "available",
        "Architecture": "arm64",
        "RootDeviceName": "/dev/sda1",
        "OwnerId": "099720109477",
        "ImageOwnerAlias": "amazon",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}],
    }
    return {"Images": [row | fields]}


def simulation(allowed: Callable[[str, str], bool], missing: tuple[str, ...] = ()) -> Callable[[Json], Json]:
    """IAM's simulator over a policy; of the actions ``missing`` a condition's value is missing."""

    def answer(asked: Json) -> Json:
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": "allowed" if allowed(action, resource) else "implicitDeny",
                    "MissingContextValues": ["aws:MultiFactorAuthPresent"] if action in missing else [],
                }
                for action in asked["ActionNames"]
                for resource in asked.get("ResourceArns", ["*"])
            ],
            "IsTruncated": False,
        }

    return answer


def quota(value: float) -> Json:
    return {"Quota": {"Value": value}}


def limits(whole: int, left: int) -> Json:
    return {"AccountLimit": {"ConcurrentExecutions": whole, "UnreservedConcurrentExecutions": left}}


def roles(*known: str, path: str = "/") -> Callable[[Json], Any]:
    def answer(asked: Json) -> Any:
        name = asked["RoleName"]
        if name not in known:
            return refusal("NoSuchEntity", f"no {name}", 404)
        return {
            "Role": {
                "Path": path,
                "RoleName": name,
                "RoleId": "AROA0123456789012",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}",
                "CreateDate": 0,
            }
        }

    return answer


GOOD: dict[str, Answer] = {
    "DescribeVpcs": vpcs({"VpcId": VPC, "IsDefault": True}),
    "DescribeSubnets": subnets(
        subnet("subnet-4567cdef", "b", default=True), subnet("subnet-0123abcd", "a", default=True)
    ),
    "DescribeRouteTables": tables(("main", default_route(GatewayId="igw-1"))),
    "DescribeImages": image(),
    "GetParameter": {"Parameter": {"Value": IMAGE}},
    **types(),
    "GetServiceQuota": quota(64),
    "GetAccountSettings": limits(1000, 1000),
    "GetFunctionConcurrency": refusal("ResourceNotFoundException"),
    "GetRole": roles(SPOT_ROLE),
    "SimulatePrincipalPolicy": simulation(lambda action, resource: True),
    "ValidateStateMachineDefinition": {"result": "OK", "diagnostics": []},
}


@pytest.fixture(scope="module")
def one_account() -> Iterator[Account]:
    with credentials():
        yield Account()


@pytest.fixture
def account(one_account: Account) -> Account:
    """One in which everything is as it should be."""
    one_account.reset()
    return one_account


def found(account: Account, caller: str = USER, template: Json | None = None, **aws: Any) -> dict[str, list[Finding]]:
    """Findings by their checks."""
    config = Config(aws=msgspec.convert(aws, Aws))
    by_check: dict[str, list[Finding]] = {}
    for one in look(account.clients, config, caller=caller, account=ACCOUNT, template=template):
        by_check.setdefault(one.check, []).append(one)
    return by_check


def one(findings: list[Finding], level: str) -> Finding:
    """The only finding, which has that level."""
    assert [finding.level for finding in findings] == [level], findings
    return findings[0]


OWN = {"vpc": VPC, "subnets": SUBNETS}

# --- all together ----------------------------------------------------------------------------------------------------


def test_an_account_in_which_all_is_well_is_told_so_in_an_order_that_stays(account: Account) -> None:
    template = made()
    checks = found(account, template=template, on_demand_fallback=True)
    assert list(checks) == [
        "region",
        "permissions",
        "network",
        "machine image",
        "machine types",
        "spot quota",
        "on-demand quota",
        "lambda concurrency",
        "spot role",
        "state machine",
    ]
    for findings in checks.values():
        one(findings, "ok")


def test_what_was_not_asked_for_is_not_looked_at(account: Account) -> None:
    assert not {"on-demand quota", "state machine"} & found(account).keys()
    assert {asked["QuotaCode"] for asked in account.asked("GetServiceQuota")} == {preflight.SPOT_QUOTA}
    assert not account.asked("ValidateStateMachineDefinition")


@pytest.mark.parametrize("absent", ABSENT.values(), ids=ABSENT)
def test_a_call_that_the_endpoint_does_not_have_is_a_note(account: Account, absent: Exception) -> None:
    account.answers = dict.fromkeys(account.answers, absent)
    checks = found(account, template=made(), on_demand_fallback=True)
    assert len(checks) == 10
    for check in checks.keys() - {"region"}:
        assert "does not have the call" in one(checks[check], "note").what


def test_what_these_credentials_may_not_look_at_is_a_note_that_says_so(account: Account) -> None:
    account.answers = dict.fromkeys(account.answers, DENIED)
    checks = found(account, template=made(), on_demand_fallback=True)
    assert len(checks) == 10
    for check in checks.keys() - {"region"}:
        note = one(checks[check], "note")
        assert "AccessDenied" in note.what
        assert "permission" in note.hint


def test_a_service_that_is_away_is_a_note_and_leaves_the_other_checks_alone(account: Account) -> None:
    account.answers["GetServiceQuota"] = refusal("ServiceUnavailable", "later\n\nplease", 503)
    checks = found(account)
    assert "later please" in one(checks["spot quota"], "note").what
    one(checks["machine types"], "ok")


def test_nothing_is_written_whatever_is_found(account: Account) -> None:
    bad: dict[str, Answer] = {
        "GetRole": roles(),
        "GetServiceQuota": quota(0),
        "GetAccountSettings": limits(112, 50),
        "SimulatePrincipalPolicy": simulation(lambda action, resource: False),
        "DescribeVpcs": {"Vpcs": []},
    }
    for answers in ({}, bad):
        account.answers |= answers
        for settings in ({}, OWN):
            found(account, template=made(), on_demand_fallback=True, reserved_concurrency=True, **settings)
    names = {name for name, _ in account.calls}
    assert set(GOOD) <= names
    assert all(name.startswith(READS) for name in names), names


def test_on_moto_which_lacks_half_of_it_nothing_is_raised_and_nothing_written() -> None:
    called: list[str] = []

    def listen(model: Any, **_: object) -> None:
        called.append(model.name)

    caller = f"arn:aws:sts::{ACCOUNT}:user/moto"
    with cloud() as moto:
        for service in preflight._SERVICES:
            CLIENTS[service].client.meta.events.register("before-call", listen)
        try:
            findings = look(moto.clients, Config(), caller=caller, account=ACCOUNT, template=made())
        finally:
            for service in preflight._SERVICES:
                CLIENTS[service].client.meta.events.unregister("before-call", listen)
        levels = {finding.check: finding.level for finding in findings}
        vpc, subnets = network(moto.clients, Config())
    assert levels == {
        "region": "ok",
        "permissions": "note",
        "network": "ok",
        "machine image": "problem",
        "machine types": "ok",
        "spot quota": "note",
        "lambda concurrency": "note",
        "spot role": "note",
        "state machine": "note",
    }
    assert vpc.startswith("vpc-") and subnets.split(",") == sorted(subnets.split(","))
    assert called and all(name.startswith(READS) for name in called)


# --- region and permissions ------------------------------------------------------------------------------------------


def test_a_partition_that_the_definition_does_not_name_is_a_problem(account: Account) -> None:
    caller = f"arn:aws-cn:iam::{ACCOUNT}:user/deployer"
    assert "aws-cn" in one(found(account, caller)["region"], "problem").what


def test_who_may_do_everything_is_known_after_few_requests(account: Account) -> None:
    count = len(actions.needed(Aws()))
    assert str(count) in one(found(account)["permissions"], "ok").what
    asked = account.asked("SimulatePrincipalPolicy")
    assert len(asked) <= 3
    assert {ask["PolicySourceArn"] for ask in asked} == {USER}
    assert sum(len(ask["ActionNames"]) for ask in asked) == count


def test_rights_to_what_the_deploy_makes_are_enough(account: Account) -> None:
    names = Names("kenh-hai")

    def allowed(action: str, resource: str) -> bool:
        if action.startswith("ec2:Describe") or action == "kms:CreateKey":
            return resource == "*"
        bound = ("kenh-hai", "some-code/", ":parameter/aws/service/", ":key/", ":launch-template/", ":security-group/")
        return any(name in resource for name in bound)

    account.answers["SimulatePrincipalPolicy"] = simulation(allowed)
    checks = found(account, template=made(prefix="kenh-hai"), prefix="kenh-hai")
    one(checks["permissions"], "ok")
    resources = {ask["ResourceArns"][0] for ask in account.asked("SimulatePrincipalPolicy") if "ResourceArns" in ask}
    assert f"arn:aws:s3:::{names.bucket(ACCOUNT, REGION)}" in resources
    assert f"arn:aws:s3:::{names.code_bucket(ACCOUNT, REGION)}/code/x.zip" in resources
    assert not any("{" in resource for resource in resources)


def test_denied_actions_are_named_and_counted(account: Account) -> None:
    account.answers["SimulatePrincipalPolicy"] = simulation(lambda action, _: not action.startswith("iam:"))
    problem = one(found(account)["permissions"], "problem")
    denied = [action for action in actions.needed(Aws()) if action.startswith("iam:")]
    assert ", ".join(denied[:8]) + f" and {len(denied) - 8} more" in problem.what
    assert denied[8] not in problem.what
    assert USER in problem.hint and "PowerUserAccess" in problem.hint


def test_what_depends_on_an_unknown_condition_is_a_note(account: Account) -> None:
    def allowed(action: str, _: str) -> bool:
        return action not in ("lambda:CreateFunction", "sqs:CreateQueue")

    account.answers["SimulatePrincipalPolicy"] = simulation(allowed, missing=("lambda:CreateFunction",))
    problem, note = found(account)["permissions"]
    assert (problem.level, note.level) == ("problem", "note")
    assert "sqs:CreateQueue" in problem.what and "lambda:CreateFunction" not in problem.what
    assert "lambda:CreateFunction" in note.what and "sqs:CreateQueue" not in note.what


def test_an_assumed_role_is_looked_up_since_its_path_is_not_in_who_it_is(account: Account) -> None:
    account.answers["GetRole"] = roles("Deployer", path="/team/")
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/someone"
    one(found(account, caller)["permissions"], "ok")
    sources = {ask["PolicySourceArn"] for ask in account.asked("SimulatePrincipalPolicy")}
    assert sources == {f"arn:aws:iam::{ACCOUNT}:role/team/Deployer"}


def test_an_assumed_role_that_may_not_be_looked_up_is_taken_to_have_no_path(account: Account) -> None:
    account.answers["GetRole"] = DENIED
    one(found(account, f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/someone")["permissions"], "ok")
    sources = {ask["PolicySourceArn"] for ask in account.asked("SimulatePrincipalPolicy")}
    assert sources == {f"arn:aws:iam::{ACCOUNT}:role/Deployer"}


@pytest.mark.parametrize(
    ("caller", "level"), [(ROOT, "ok"), (f"arn:aws:sts::{ACCOUNT}:federated-user/someone", "note")]
)
def test_the_root_user_and_federated_ones_are_not_simulated(account: Account, caller: str, level: str) -> None:
    one(found(account, caller)["permissions"], level)
    assert not account.asked("SimulatePrincipalPolicy")


def test_the_rights_of_every_type_in_the_template_are_known_and_of_no_other() -> None:
    template = made(monthly_budget=5, alarm_email="a@example.org")
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert kinds == {name for name in actions.ACTIONS if name.startswith("AWS::")}


def test_rights_are_asked_for_what_the_settings_make() -> None:
    plain, budget = (
        actions.needed(Aws(), made()),
        actions.needed(Aws(), made(monthly_budget=5, alarm_email="a@b.c")),
    )
    assert set(budget) - set(plain) == {"budgets:ModifyBudget", "budgets:ViewBudget", "sns:Subscribe"} | {
        "sns:GetSubscriptionAttributes",
        "sns:Unsubscribe",
    }
    assert "budgets:ModifyBudget" in actions.needed(Aws(monthly_budget=5))
    assert "budgets:ModifyBudget" not in actions.needed(Aws())
    assert "ssm:GetParameter" in plain
    assert "ssm:GetParameter" not in actions.needed(Aws(image=IMAGE), made())


def test_every_action_is_one_that_iam_knows() -> None:
    """One that it does not would fail the simulation of all of them."""
    policies = json.loads((Path(cfnlint.data.AdditionalSpecs.__file__).parent / "Policies.json").read_text("utf-8"))
    for action in " ".join(actions.ACTIONS.values()).split():
        service, _, name = action.partition(":")
        assert name.lower() in policies[service]["Actions"], action


# --- network ---------------------------------------------------------------------------------------------------------


def test_the_default_vpc_and_its_default_subnets_are_the_network_where_none_is_set(account: Account) -> None:
    account.answers["DescribeVpcs"] = vpcs(
        {"VpcId": "vpc-other", "IsDefault": False}, {"VpcId": VPC, "IsDefault": True}
    )
    account.answers["DescribeSubnets"] = subnets(
        subnet("subnet-b", "b", default=True),
        subnet("subnet-own", "a"),
        subnet("subnet-a", "a", default=True),
        subnet("subnet-c", "c", vpc="vpc-other", default=True),
    )
    assert network(account.clients, Config()) == (VPC, "subnet-a,subnet-b")
    assert "2 subnets in 2 zones" in one(found(account)["network"], "ok").what


def test_a_network_that_is_set_is_taken_as_it_is(account: Account) -> None:
    config = Config(aws=Aws(vpc=VPC, subnets="subnet-4567cdef,  subnet-0123abcd"))
    assert network(account.clients, config) == (VPC, "subnet-0123abcd,subnet-4567cdef")
    assert account.calls == []


@pytest.mark.parametrize("settings", [{"vpc": VPC}, {"subnets": SUBNETS}])
def test_a_vpc_without_subnets_and_subnets_without_a_vpc_are_a_problem(account: Account, settings: Json) -> None:
    one(found(account, **settings)["network"], "problem")
    with pytest.raises(ConfigError, match="belong together"):
        network(account.clients, Config(aws=msgspec.convert(settings, Aws)))


@pytest.mark.parametrize(
    ("answers", "command"),
    [
        ({"DescribeVpcs": vpcs({"VpcId": VPC, "IsDefault": False})}, "aws ec2 create-default-vpc"),
        ({"DescribeSubnets": subnets(subnet("subnet-a"))}, "aws ec2 create-default-subnet"),
    ],
)
def test_an_account_without_a_default_network_is_told_how_to_get_one(
    account: Account, answers: dict[str, Answer], command: str
) -> None:
    account.answers |= answers
    problem = one(found(account)["network"], "problem")
    assert command in problem.hint and "aws.subnets" in problem.hint
    with pytest.raises(ConfigError) as told:
        network(account.clients, Config())
    assert told.value.hint == problem.hint


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({"DescribeVpcs": vpcs()}, VPC),
        ({"DescribeSubnets": subnets(subnet("subnet-0123abcd"))}, "subnet-4567cdef"),
        (
            {"DescribeSubnets": subnets(subnet("subnet-0123abcd"), subnet("subnet-4567cdef", vpc="vpc-other"))},
            "subnet-4567cdef",
        ),
    ],
)
def test_a_network_that_is_not_there_is_a_problem_that_names_what(
    account: Account, answers: dict[str, Answer], named: str
) -> None:
    account.answers |= answers
    problem = one(found(account, **OWN)["network"], "problem")
    assert named in problem.what and "aws ec2 describe-" in problem.hint


def test_subnets_in_one_zone_are_a_note(account: Account) -> None:
    account.answers["DescribeSubnets"] = subnets(subnet("subnet-0123abcd"), subnet("subnet-4567cdef"))
    assert f"{REGION}a" in one(found(account, **OWN)["network"], "note").what


INTERNET, NAT = default_route(GatewayId="igw-1"), default_route(NatGatewayId="nat-1")
HOLE = {**INTERNET, "State": "blackhole"}
NEAR = {"DestinationCidrBlock": "10.1.0.0/16", "VpcPeeringConnectionId": "pcx-1", "State": "active"}


@pytest.mark.parametrize(
    ("public", "rows", "level"),
    [
        (True, [("main", INTERNET)], "ok"),
        (False, [("main", NAT)], "ok"),
        (False, [("main", NEAR), ("subnet-0123abcd", NAT), ("subnet-4567cdef", NAT)], "ok"),
        (True, [], "ok"),  # of a VPC that is shared by another account
        (False, [("main", INTERNET)], "problem"),
        (True, [("main", NEAR)], "problem"),
        (True, [("main", HOLE)], "problem"),
        (True, [("main", INTERNET), ("subnet-0123abcd", NEAR)], "problem"),
    ],
)
def test_subnets_must_have_a_way_out(account: Account, public: bool, rows: list[Any], level: str) -> None:
    account.answers["DescribeSubnets"] = subnets(
        subnet("subnet-0123abcd", "a", public=public), subnet("subnet-4567cdef", "b", public=public)
    )
    account.answers["DescribeRouteTables"] = tables(*rows)
    finding = one(found(account, **OWN)["network"], level)
    assert ("subnet-0123abcd" in finding.what) is (level == "problem")


def test_only_the_subnets_without_a_way_out_are_named(account: Account) -> None:
    account.answers["DescribeRouteTables"] = tables(("main", INTERNET), ("subnet-4567cdef", NEAR))
    problem = one(found(account, **OWN)["network"], "problem")
    assert "subnet-4567cdef" in problem.what and "subnet-0123abcd" not in problem.what


# --- machines --------------------------------------------------------------------------------------------------------


def test_an_image_that_the_settings_name_is_not_looked_for_among_parameters(account: Account) -> None:
    assert IMAGE in one(found(account, image=IMAGE)["machine image"], "ok").what
    assert not account.asked("GetParameter")
    assert account.asked("DescribeImages") == [{"ImageIds": [IMAGE]}]


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({"GetParameter": refusal("ParameterNotFound")}, "/aws/service/canonical/"),
        ({"GetParameter": {"Parameter": {"Value": "al2023"}}}, "does not name an image"),
        ({"DescribeImages": refusal("InvalidAMIID.NotFound")}, IMAGE),
        ({"DescribeImages": {"Images": []}}, IMAGE),
        ({"DescribeImages": image(Architecture="x86_64")}, "Architecture is x86_64, not arm64"),
        ({"DescribeImages": image(State="deregistered")}, "State is deregistered"),
        ({"DescribeImages": image(RootDeviceName="/dev/xvda")}, "RootDeviceName is /dev/xvda"),
        (
            {"DescribeImages": image(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30}}])},
            "disk of 30 GB",
        ),
        ({"DescribeImages": image(OwnerId="210987654321", ImageOwnerAlias="self")}, "belongs to 210987654321"),
    ],
)
def test_an_image_that_no_machine_can_start_from_is_a_problem(
    account: Account, answers: dict[str, Answer], named: str
) -> None:
    account.answers |= answers
    problem = one(found(account)["machine image"], "problem")
    assert named in problem.what and "aws.image" in problem.hint


def test_an_image_of_ones_own_may_be_named_by_a_parameter_of_ones_own(account: Account) -> None:
    account.answers["DescribeImages"] = image(OwnerId=ACCOUNT, ImageOwnerAlias="self")
    one(found(account, image="/ours/image")["machine image"], "ok")
    account.answers["DescribeImages"] = image()
    assert ACCOUNT in one(found(account, image="/ours/image")["machine image"], "problem").what


def test_types_that_the_region_lacks_are_a_note_while_others_are_left(account: Account) -> None:
    account.answers |= types("c8g.2xlarge", "m8g.2xlarge")
    note = one(found(account)["machine types"], "note")
    assert "aws.renderer_types" in note.what and "c8g.2xlarge, m8g.2xlarge" in note.what and REGION in note.hint
    account.answers |= types(*Aws().uploader_types.split())
    assert "aws.uploader_types" in one(found(account)["machine types"], "problem").what


def test_a_type_of_another_architecture_is_a_problem(account: Account) -> None:
    rows = [kind("c7i.2xlarge", 8, "x86_64"), kind("t4g.small", 2)]
    account.answers["DescribeInstanceTypes"] = {"InstanceTypes": rows}
    account.answers["DescribeInstanceTypeOfferings"] = {"InstanceTypeOfferings": rows_of(rows)}
    settings = {"renderer_types": "c7i.2xlarge", "uploader_types": "t4g.small"}
    assert "c7i.2xlarge" in one(found(account, **settings)["machine types"], "problem").what


def rows_of(rows: list[Json]) -> list[Json]:
    return [{"InstanceType": row["InstanceType"]} for row in rows]


@pytest.mark.parametrize(("value", "level"), [(0, "problem"), (5, "problem"), (7.9, "problem"), (8, "ok")])
def test_the_spot_quota_must_hold_the_smallest_renderer(account: Account, value: float, level: str) -> None:
    account.answers["GetServiceQuota"] = quota(value)
    finding = one(found(account)["spot quota"], level)
    assert f"{value:g} vCPUs" in finding.what and " 8" in finding.what
    command = (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-34B43A08"
        f" --desired-value 8 --region {REGION}"
    )
    assert finding.hint == (command if level == "problem" else "")


def test_the_smallest_type_counts_of_those_that_are_there_and_in_that_quota(account: Account) -> None:
    account.answers["DescribeInstanceTypes"] = {
        "InstanceTypes": [kind("c7g.4xlarge", 16), kind("g5g.xlarge", 4), kind("hpc7g.4xlarge", 2), kind("t9.nano", 1)]
    }
    account.answers["GetServiceQuota"] = quota(15)
    few = "g5g.xlarge hpc7g.4xlarge c7g.4xlarge c9g.large"
    settings = {"renderer_types": few, "uploader_types": few}
    assert "c7g.4xlarge, has 16" in one(found(account, **settings)["spot quota"], "problem").what
    settings = {"renderer_types": "g5g.xlarge", "uploader_types": "g5g.xlarge"}
    one(found(account, **settings)["spot quota"], "note")


def test_a_way_out_of_spot_machines_that_the_quota_shuts_is_a_note(account: Account) -> None:
    account.answers["GetServiceQuota"] = lambda asked: quota(1 if asked["QuotaCode"] == "L-1216C47A" else 8)
    checks = found(account, on_demand_fallback=True)
    one(checks["spot quota"], "ok")
    assert "L-1216C47A" in one(checks["on-demand quota"], "note").hint


def test_a_quota_that_is_not_kept_in_the_region_is_a_note(account: Account) -> None:
    account.answers["GetServiceQuota"] = refusal("NoSuchResourceException", "not in this region")
    assert "not in this region" in one(found(account)["spot quota"], "note").what


# --- functions -------------------------------------------------------------------------------------------------------

HELD = {"ReservedConcurrentExecutions": 1}
NEW = len(SIZES)


@pytest.mark.parametrize(
    ("whole", "left", "held", "level"),
    [
        (10, 10, {}, "problem"),
        (99 + NEW, 99 + NEW, {}, "problem"),
        (100 + NEW, 100 + NEW, {}, "ok"),
        (1000, 99 + NEW, {}, "problem"),  # others reserve the rest
        (100 + NEW, 100, HELD, "ok"),  # these functions do, from the deploy before
        (1000, 99, HELD, "problem"),
    ],
)
def test_reserving_must_leave_lambda_its_hundred(
    account: Account, whole: int, left: int, held: Json, level: str
) -> None:
    account.answers["GetAccountSettings"] = limits(whole, left)
    if held:
        account.answers["GetFunctionConcurrency"] = held
    finding = one(found(account, reserved_concurrency=True)["lambda concurrency"], level)
    assert ("aws.reserved_concurrency" in finding.hint) is (level == "problem")


def test_a_new_accounts_ten_are_enough_where_nothing_is_reserved(account: Account) -> None:
    account.answers["GetAccountSettings"] = limits(10, 10)
    assert "10" in one(found(account)["lambda concurrency"], "ok").what


# --- roles of services -----------------------------------------------------------------------------------------------


def test_a_spot_role_that_is_missing_is_a_note(account: Account) -> None:
    account.answers["GetRole"] = roles()
    assert f"{SPOT_ROLE} is missing: the deploy makes it" in one(found(account)["spot role"], "note").what


def test_a_spot_role_that_is_there_is_not_made_again(account: Account) -> None:
    assert ensure_service_roles(account.clients) == []
    assert [name for name, _ in account.calls] == ["GetRole"]


@pytest.mark.parametrize("before", [roles(), DENIED], ids=["missing", "not to be looked at"])
def test_a_spot_role_that_is_missing_is_made(account: Account, before: Answer) -> None:
    account.answers |= {"GetRole": before, "CreateServiceLinkedRole": {}}
    assert ensure_service_roles(account.clients) == [SPOT_ROLE]
    assert account.asked("CreateServiceLinkedRole") == [{"AWSServiceName": "spot.amazonaws.com"}]


def test_a_spot_role_that_another_made_meanwhile_is_no_error(account: Account) -> None:
    taken = f"Service role name {SPOT_ROLE} has been taken in this account, please try a different suffix."
    account.answers |= {"GetRole": roles(), "CreateServiceLinkedRole": refusal("InvalidInput", taken)}
    assert ensure_service_roles(account.clients) == []


def test_a_spot_role_that_may_not_be_made_is_told_with_the_command_for_someone_who_may(account: Account) -> None:
    account.answers |= {"GetRole": roles(), "CreateServiceLinkedRole": DENIED}
    with pytest.raises(AuthError, match=SPOT_ROLE) as told:
        ensure_service_roles(account.clients)
    assert "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com" in told.value.hint


def test_any_other_reason_why_there_is_no_spot_role_is_told(account: Account) -> None:
    account.answers |= {"GetRole": roles(), "CreateServiceLinkedRole": refusal("InvalidInput", "no such service")}
    with pytest.raises(MangavidError, match="no such service"):
        ensure_service_roles(account.clients)
    account.answers["CreateServiceLinkedRole"] = refusal("ServiceFailure", "", 503)
    with pytest.raises(UpstreamUnavailable):
        ensure_service_roles(account.clients)


@pytest.mark.parametrize("absent", ["GetRole", "CreateServiceLinkedRole"])
def test_an_endpoint_without_service_roles_needs_none(account: Account, absent: str) -> None:
    account.answers |= {"GetRole": roles(), absent: NotImplementedError("not here")}
    assert ensure_service_roles(account.clients) == []


def test_moto_makes_the_spot_role_once() -> None:
    with cloud() as moto:
        assert ensure_service_roles(moto.clients) == [SPOT_ROLE]
        assert ensure_service_roles(moto.clients) == []


# --- the state machine -----------------------------------------------------------------------------------------------


def diagnostic(severity: str, message: str, location: str = "/States/Done") -> Json:
    return {"severity": severity, "code": "SOME_CODE", "message": message, "location": location}


def test_the_definition_is_validated_as_it_is_deployed(account: Account) -> None:
    found(account, template=made(prefix="kenh-hai"))
    (asked,) = account.asked("ValidateStateMachineDefinition")
    assert asked["type"] == "STANDARD"
    assert "${" not in asked["definition"]
    assert f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:kenh-hai-fetcher" in asked["definition"]
    assert json.loads(asked["definition"])["StartAt"]


def test_errors_in_the_definition_are_a_problem_and_warnings_a_note(account: Account) -> None:
    error, warning = diagnostic("ERROR", "[red]no such\nstate[/]"), diagnostic("WARNING", "never reached", "")
    account.answers["ValidateStateMachineDefinition"] = {"result": "FAIL", "diagnostics": [warning, error]}
    problem, note = found(account, template=made())["state machine"]
    assert (problem.level, note.level) == ("problem", "note")
    assert "/States/Done: [red]no such state[/]" in problem.what and "never reached" not in problem.what
    assert note.what.endswith(" never reached")
    account.answers["ValidateStateMachineDefinition"] = {"result": "OK", "diagnostics": [warning]}
    one(found(account, template=made())["state machine"], "note")


def test_a_definition_with_a_placeholder_of_its_own_is_a_problem_before_it_is_sent(account: Account) -> None:
    template = made()
    template["Resources"]["StateMachine"]["Properties"]["DefinitionString"]["Fn::Sub"] += "${Other}"
    assert "${Other}" in one(found(account, template=template)["state machine"], "problem").what
    assert not account.asked("ValidateStateMachineDefinition")


# --- calls that are not there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", ABSENT.values(), ids=ABSENT)
def test_a_call_that_is_not_there_is_known_by_the_failure_and_by_its_cause(absent: Exception) -> None:
    made = failure(absent, "iam get_role")
    made.__cause__ = absent
    assert not_there(absent) and not_there(made)
    assert "doctype" not in str(made)


@pytest.mark.parametrize(
    "problem",
    [
        refusal("NoSuchEntity", "no role", 404),
        refusal("ServiceUnavailable", "", 503),
        refusal("503", "", 503),
        refusal("InternalError", "", 500),
        refusal("403", "", 403),
        DENIED,
        ConfigError("no VPC"),
        KeyError("Role"),
    ],
)
def test_a_refusal_and_an_outage_are_not_taken_for_a_call_that_is_not_there(problem: Exception) -> None:
    assert not not_there(problem)


def test_an_answer_that_is_none_of_awss_is_told_in_a_line(account: Account) -> None:
    account.answers["DescribeVpcs"] = ABSENT["a page instead of XML"]
    with pytest.raises(UpstreamUnavailable) as told:
        network(account.clients, Config())
    assert not_there(told.value)
