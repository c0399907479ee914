"""What is looked at before a deploy changes anything, each with what to do about it. ``look`` writes nothing.

A ``problem`` is what the deploy, or what it puts there, would fail by. What can't be looked at, since these credentials
may not or this endpoint does not have the call, is a ``note``: it says nothing about the deploy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import msgspec

from mangavid import asl
from mangavid.aws.deploy.actions import needed, resources
from mangavid.aws.failures import not_there
from mangavid.aws.names import Names
from mangavid.aws.package.groups import ARCHITECTURE
from mangavid.aws.session import Clients, Refused, Service
from mangavid.aws.stack import launching
from mangavid.aws.stack.functions import SIZES
from mangavid.aws.stack.launching import listed
from mangavid.aws.stack.machine import MACHINE
from mangavid.aws.stack.parts import ACCOUNT, Json
from mangavid.aws.stack.workers import DISK_GB, WORKERS
from mangavid.config import Aws, Config
from mangavid.errors import AuthError, ConfigError, MangavidError

#: Roles that AWS makes for itself in an account, and the service each is asked for by. Spot machines need theirs, and
#: CreateFleet makes it only for who may. A fleet of type «instant» needs none of its own.
SERVICE_ROLES: Final = {"AWSServiceRoleForEC2Spot": "spot.amazonaws.com"}

#: Actions that one request simulates: some hundred make it slow, and it is throttled by the request.
_AT_ONCE: Final = 50
#: As many are named of what there may be many of.
_NAMED: Final = 8

#: Lambda keeps this much of an account's concurrency for the functions that reserve none.
UNRESERVED: Final = 100
SPOT_QUOTA: Final = "L-34B43A08"
ON_DEMAND_QUOTA: Final = "L-1216C47A"
#: Families whose machines are not counted by those two, though their first letter is one of them.
_OTHER_FAMILIES: Final = ("dl", "hpc", "inf", "mac", "trn")
_STANDARD_FAMILIES: Final = "acdhimrtz"

_ROOT_DEVICE: Final = "/dev/sda1"
#: The parts of a machine that the template asks for and an image may lack, as DescribeImages spells them.
_IMAGE: Final = {"State": "available", "Architecture": ARCHITECTURE, "RootDeviceName": _ROOT_DEVICE}
_SERVICES: Final = ("ec2", "iam", "lambda", "service-quotas", "ssm", "stepfunctions", "sts")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found, in a sentence; ``hint`` is what to do or type next (may be empty)."""

    check: str
    level: Literal["ok", "note", "problem"]
    what: str
    hint: str = ""


_Check = Callable[[], Iterable[Finding]]


def look(
    clients: Clients, config: Config, *, caller: str, account: str, template: Json | None = None
) -> tuple[Finding, ...]:
    """All findings, in an order that stays the same. ``caller`` is the ARN that STS knows these credentials by.

    Without a template its definition is not looked at, and rights are those that any template of these settings takes.
    Raises nothing of AWS's doing but that no region is set (ConfigError).
    """
    region, aws = clients.region, config.aws
    for name in _SERVICES:  # a session makes one client at a time
        with contextlib.suppress(MangavidError):
            _ = clients[name].client
    ec2, quotas = clients["ec2"], clients["service-quotas"]
    checks: dict[str, _Check | None] = {
        "region": lambda: _region(caller, account, region),
        "permissions": lambda: _permissions(clients["iam"], aws, caller, account, region, template),
        "network": lambda: _network(ec2, aws),
        "machine image": lambda: _image(clients, aws, account),
        "machine types": lambda: _types(ec2, aws, region),
        "spot quota": lambda: _vcpus(ec2, quotas, aws, region, "spot quota", SPOT_QUOTA),
        "on-demand quota": (lambda: _vcpus(ec2, quotas, aws, region, "on-demand quota", ON_DEMAND_QUOTA))
        if aws.on_demand_fallback
        else None,
        "lambda concurrency": lambda: _concurrency(clients["lambda"], aws),
        "spot role": lambda: _service_roles(clients["iam"]),
        "state machine": (lambda: _definition(clients["stepfunctions"], template, account, region))
        if template is not None
        else None,
    }
    asked = {check: looking for check, looking in checks.items() if looking}
    with ThreadPoolExecutor(len(asked), thread_name_prefix="preflight") as pool:
        found = list(pool.map(_looked, asked, asked.values()))
    return tuple(finding for findings in found for finding in findings)


def network(clients: Clients, config: Config) -> tuple[str, str]:
    """The VPC of the machines, and their subnets in order with commas between: those set, else the default VPC's.

    What is set is not looked at. Raises ConfigError where there is no default VPC, or only one of the two is set.
    """
    aws = config.aws
    _together(aws)
    if aws.vpc:
        return aws.vpc, ",".join(sorted(set(listed(aws.subnets))))
    vpc, subnets = _default_network(clients["ec2"])
    return vpc, ",".join(sorted(subnet["SubnetId"] for subnet in subnets))


def ensure_service_roles(clients: Clients) -> list[str]:
    """Make the roles of ``SERVICE_ROLES`` that are missing. Returns their names.

    One that another makes meanwhile is no error, nor is an endpoint that knows no such roles. Raises AuthError where
    these credentials may not make it.
    """
    iam, made = clients["iam"], []
    for role, service in SERVICE_ROLES.items():
        try:
            there = False
            with contextlib.suppress(AuthError):  # who may not look may still be allowed to make it
                there = bool(_role_arn(iam, role))
            if not there and _made(iam, role, service):
                made.append(role)
        except MangavidError as problem:
            if not not_there(problem):
                raise
    return made


def _made(iam: Service, role: str, service: str) -> bool:
    """Whether it is now made, rather than there already."""
    taken = ("InvalidInput", "EntityAlreadyExists")
    by_hand = f"aws iam create-service-linked-role --aws-service-name {service}"
    try:
        iam.call("create_service_linked_role", expect=taken, AWSServiceName=service)
    except Refused as refused:
        if refused.code == "InvalidInput" and "has been taken" not in refused.message:
            raise MangavidError(_line(f"{role} can't be made: {refused.message}"), hint=by_hand) from None
        return False
    except AuthError as problem:
        hint = f"let someone who may type: {by_hand}"
        raise AuthError(_line(f"{role} is missing, and not to be made: {problem}"), hint=hint) from problem
    return True


# --- how checks are made ---------------------------------------------------------------------------------------------


def _looked(check: str, looking: _Check) -> list[Finding]:
    try:
        return list(looking())
    except MangavidError as problem:
        if not_there(problem):
            what, hint = f"not looked at, this endpoint does not have the call: {problem}", ""
        else:
            what, hint = f"not looked at: {problem}", problem.hint
        return [Finding(check=check, level="note", what=_line(what), hint=hint)]


def _line(text: str) -> str:
    return " ".join(text.split())


def _some(many: Sequence[str]) -> str:
    named = ", ".join(many[:_NAMED])
    return f"{named} and {len(many) - _NAMED} more" if len(many) > _NAMED else named


# --- region and permissions ------------------------------------------------------------------------------------------


def _region(caller: str, account: str, region: str) -> Iterator[Finding]:
    partition = caller.split(":")[1]
    if partition == "aws":
        yield Finding(check="region", level="ok", what=f"{caller} in account {account}, region {region}")
    else:
        what = f"{region} is in the partition {partition}: {asl.FILE} names its functions by ARNs of the partition aws"
        yield Finding(check="region", level="problem", what=what, hint="deploy to another region: aws.region")


def _permissions(
    iam: Service, aws: Aws, caller: str, account: str, region: str, template: Json | None
) -> Iterator[Finding]:
    check = "permissions"
    partition, who = caller.split(":")[1], caller.split(":", 5)[-1]
    kind, _, name = who.partition("/")
    if who == "root":
        yield Finding(check=check, level="ok", what="the account's root user may do anything in it")
        return
    if kind == "assumed-role":
        role = name.split("/")[0]
        # The role's path is no part of the ARN of who assumed it.
        arn = f"arn:{partition}:iam::{account}:role/{role}"
        with contextlib.suppress(AuthError):
            arn = _role_arn(iam, role) or arn
    elif kind == "user":
        arn = caller
    else:
        what = f"rights of {caller} can't be simulated: it is neither a user nor a role"
        yield Finding(check=check, level="note", what=what)
        return
    actions = needed(aws, template)
    denied, unsure = _denied(iam, arn, actions, resources(aws, partition, account, region))
    if denied:
        hint = (
            f"attach a policy that allows them to {arn} (AdministratorAccess does; PowerUserAccess can make no roles),"
            " or set aws.profile to credentials that have one"
        )
        yield Finding(check=check, level="problem", what=f"{arn} may not {_some(denied)}", hint=hint)
    if unsure:
        what = f"whether {arn} may {_some(unsure)} depends on conditions that a simulation does not know"
        yield Finding(check=check, level="note", what=what)
    if not denied and not unsure:
        yield Finding(check=check, level="ok", what=f"{arn} may do the {len(actions)} things that a deploy does")


def _denied(iam: Service, arn: str, actions: list[str], on: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """Which actions are denied, and of which that can't be told.

    Asked is first about any resource, and then, for what that denies, about the deploy's own: few have rights to
    everything, and for those who have it is done with a request or two.
    """
    found = _simulated(iam, arn, actions)
    again: dict[str, list[str]] = {}
    for action in actions:
        if not found.get(action) and (resource := on(action)):
            again.setdefault(resource, []).append(action)
    for resource, some in again.items():
        found |= _simulated(iam, arn, some, ResourceArns=[resource])
    return (
        [action for action in actions if found.get(action) is False],
        [action for action in actions if found.get(action) is None],
    )


def _simulated(iam: Service, arn: str, actions: list[str], **resource: list[str]) -> dict[str, bool | None]:
    """Whether each action is allowed; None where that depends on a value that nobody gave."""
    region = {
        "ContextKeyName": "aws:RequestedRegion",
        "ContextKeyType": "string",
        "ContextKeyValues": [str(iam.client.meta.region_name)],
    }
    found: dict[str, bool | None] = {}
    for start in range(0, len(actions), _AT_ONCE):
        results = iam.pages(
            "simulate_principal_policy",
            "EvaluationResults",
            ask="Marker",
            told="Marker",
            PolicySourceArn=arn,
            ActionNames=actions[start : start + _AT_ONCE],
            ContextEntries=[region],
            **resource,
        )
        for one in results:
            allowed = one.get("EvalDecision") == "allowed"
            found[str(one["EvalActionName"])] = None if not allowed and one.get("MissingContextValues") else allowed
    return found


# --- network ---------------------------------------------------------------------------------------------------------


def _network(ec2: Service, aws: Aws) -> Iterator[Finding]:
    check = "network"
    try:
        _together(aws)
        vpc, subnets = _given_network(ec2, aws) if aws.vpc else _default_network(ec2)
    except ConfigError as wrong:
        yield Finding(check=check, level="problem", what=str(wrong), hint=wrong.hint)
        return
    shut = _no_way_out(ec2, vpc, subnets) if aws.vpc else {}
    for why in sorted(set(shut.values())):
        those = sorted(subnet for subnet, reason in shut.items() if reason == why)
        hint = "aws.subnets: public subnets that give out addresses, or private ones behind a NAT gateway"
        yield Finding(check=check, level="problem", what=f"no way out of {_some(those)}: {why}", hint=hint)
    zones = {str(subnet.get("AvailabilityZone")) for subnet in subnets}
    if len(zones) == 1:
        what = f"all subnets are in {min(zones)}: with more zones a Spot machine is found more often, and sooner"
        yield Finding(check=check, level="note", what=what, hint="aws.subnets: name subnets of other zones too")
    elif not shut:
        of = vpc if aws.vpc else f"the default VPC {vpc}"
        yield Finding(check=check, level="ok", what=f"{of}: {len(subnets)} subnets in {len(zones)} zones")


def _together(aws: Aws) -> None:
    if bool(aws.vpc) != bool(aws.subnets):
        raise ConfigError("aws.vpc and aws.subnets belong together", hint="set both, or neither for the default VPC")


def _default_network(ec2: Service) -> tuple[str, list[Json]]:
    """The default VPC and its default subnets. Raises ConfigError where there is none of either."""
    hint = "set aws.vpc and aws.subnets"
    found = ec2.call("describe_vpcs", Filters=_only("is-default", "true")).get("Vpcs")
    if not found:
        raise ConfigError(
            "this account has no default VPC in this region", hint=f"aws ec2 create-default-vpc, or {hint}"
        )
    vpc = str(found[0]["VpcId"])
    subnets = _subnets(ec2, [*_only("vpc-id", vpc), *_only("default-for-az", "true")])
    if not subnets:
        raise ConfigError(
            f"the default VPC {vpc} has no default subnets",
            hint=f"aws ec2 create-default-subnet --availability-zone …, or {hint}",
        )
    return vpc, subnets


def _given_network(ec2: Service, aws: Aws) -> tuple[str, list[Json]]:
    """What the settings name. Raises ConfigError where some of it does not exist, or not together."""
    wanted = sorted(set(listed(aws.subnets)))
    if not ec2.call("describe_vpcs", Filters=_only("vpc-id", aws.vpc)).get("Vpcs"):
        raise ConfigError(
            f"aws.vpc: {aws.vpc} does not exist in this region", hint="aws ec2 describe-vpcs lists those there are"
        )
    subnets = _subnets(ec2, _only("subnet-id", *wanted))
    lists = f"aws ec2 describe-subnets --filters Name=vpc-id,Values={aws.vpc} lists those there are"
    if missing := sorted(set(wanted) - {subnet["SubnetId"] for subnet in subnets}):
        raise ConfigError(f"aws.subnets: no such subnet in this region: {_some(missing)}", hint=lists)
    if strange := sorted(subnet["SubnetId"] for subnet in subnets if subnet.get("VpcId") != aws.vpc):
        raise ConfigError(f"aws.subnets: not in {aws.vpc}: {_some(strange)}", hint=lists)
    return aws.vpc, subnets


def _subnets(ec2: Service, filters: list[Json]) -> list[Json]:
    return list(ec2.pages("describe_subnets", "Subnets", ask="NextToken", told="NextToken", Filters=filters))


def _only(name: str, *values: str) -> list[Json]:
    return [{"Name": name, "Values": list(values)}]


def _no_way_out(ec2: Service, vpc: str, subnets: list[Json]) -> dict[str, str]:
    """Why the machines of a subnet reach nothing, by its id; none that do. Their addresses are of IPv4."""
    tables = list(
        ec2.pages(
            "describe_route_tables", "RouteTables", ask="NextToken", told="NextToken", Filters=_only("vpc-id", vpc)
        )
    )
    by_subnet: dict[str, Json] = {}
    for table in tables:
        for tie in table.get("Associations", ()):
            by_subnet["" if tie.get("Main") else str(tie.get("SubnetId"))] = table
    shut: dict[str, str] = {}
    for subnet in subnets:
        table = by_subnet.get(subnet["SubnetId"]) or by_subnet.get("")
        routes = [
            route
            for route in (table or {}).get("Routes", ())
            if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole"
        ]
        if table is None:  # the tables of a VPC that another account shares don't all show
            continue
        if not routes:
            shut[subnet["SubnetId"]] = "its route table has no default route"
        elif str(routes[0].get("GatewayId", "")).startswith("igw-") and not subnet.get("MapPublicIpOnLaunch"):
            shut[subnet["SubnetId"]] = "it leads to an internet gateway, but its machines get no public address"
    return shut


# --- machines --------------------------------------------------------------------------------------------------------


def _image(clients: Clients, aws: Aws, account: str) -> Iterator[Finding]:
    def wrong(what: str) -> Finding:
        hint = f"aws.image: an image for {ARCHITECTURE} like the default one, Ubuntu 24.04"
        return Finding(check="machine image", level="problem", what=what, hint=hint)

    image = aws.image
    if not image.startswith("ami-"):
        try:
            answer = clients["ssm"].call("get_parameter", expect=("ParameterNotFound",), Name=image)
        except Refused:
            yield wrong(f"there is no parameter {image} in this region")
            return
        image = str(answer.get("Parameter", {}).get("Value", ""))
        if not image.startswith("ami-"):
            yield wrong(f"the parameter {aws.image} does not name an image")
            return
    gone = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed")
    try:
        found = clients["ec2"].call("describe_images", expect=gone, ImageIds=[image]).get("Images")
    except Refused:
        found = []
    if not found:
        yield wrong(f"the image {image} does not exist in this region, or is not shared with this account")
        return
    off = [
        f"{name} is {found[0].get(name)}, not {asked}" for name, asked in _IMAGE.items() if found[0].get(name) != asked
    ]
    disk = min(DISK_GB.values())
    for device in found[0].get("BlockDeviceMappings", ()):
        size = device.get("Ebs", {}).get("VolumeSize", 0)
        if device.get("DeviceName") == _ROOT_DEVICE and size > disk:
            off.append(f"its disk of {size} GB does not fit into {disk} GB")
    if (owner := _owner(aws, account)) and not owner & {found[0].get("OwnerId"), found[0].get("ImageOwnerAlias")}:
        off.append(
            f"it belongs to {found[0].get('OwnerId')}, but starting it is allowed for {_some(sorted(owner))} only"
        )
    if off:
        yield wrong(f"the image {image} does not do: {'; '.join(off)}")
    else:
        yield Finding(check="machine image", level="ok", what=f"{image}: {found[0].get('Name', 'without a name')}")


def _owner(aws: Aws, account: str) -> set[str]:
    """Whose images the functions' rights allow, as EC2 names owners; none where that is not what bounds them."""
    owners: set[str] = set()
    for statement in launching.statements(aws, WORKERS[0]):
        allowed = statement.get("Condition", {}).get("StringEquals", {}).get("ec2:Owner", [])
        for one in allowed if isinstance(allowed, list) else [allowed]:
            owners.add(account if one == ACCOUNT else str(one))
    return owners


def _types(ec2: Service, aws: Aws, region: str) -> Iterator[Finding]:
    check = "machine types"
    settings = {"aws.renderer_types": listed(aws.renderer_types), "aws.uploader_types": listed(aws.uploader_types)}
    wanted = sorted({kind for kinds in settings.values() for kind in kinds})
    offers = ec2.pages(
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        ask="NextToken",
        told="NextToken",
        LocationType="region",
        Filters=_only("instance-type", *wanted),
    )
    offered = {offer["InstanceType"] for offer in offers}
    lists = f"aws ec2 describe-instance-type-offerings --region {region} lists those there are"
    fine = True
    for setting, kinds in settings.items():
        missing = [kind for kind in kinds if kind not in offered]
        if missing:
            fine = False
            none = len(missing) == len(kinds)
            what = f"{setting}: {region} has {'none of' if none else 'no'} {_some(missing)}"
            yield Finding(check=check, level="problem" if none else "note", what=what, hint=lists)
    described = _described(ec2, wanted)
    for setting, kinds in settings.items():
        other = [kind for kind in kinds if kind in described and ARCHITECTURE not in _architectures(described[kind])]
        if other:
            fine = False
            what = f"{setting}: not {ARCHITECTURE}: {_some(other)}"
            yield Finding(check=check, level="problem", what=what, hint=f"name types of {ARCHITECTURE} only")
    if fine:
        yield Finding(check=check, level="ok", what=f"{region} has all {len(wanted)} instance types of the settings")


def _described(ec2: Service, wanted: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What EC2 says of these types, if it has them here."""
    pages = ec2.pages(
        "describe_instance_types",
        "InstanceTypes",
        ask="NextToken",
        told="NextToken",
        Filters=_only("instance-type", *wanted),
    )
    return {one["InstanceType"]: one for one in pages}


def _architectures(kind: Mapping[str, Any]) -> Sequence[str]:
    found: Sequence[str] = kind.get("ProcessorInfo", {}).get("SupportedArchitectures", ())
    return found


def _vcpus(ec2: Service, quotas: Service, aws: Aws, region: str, check: str, code: str) -> Iterator[Finding]:
    """One machine runs at a time. What is too little for Spot machines is a problem, for the way out of them a note."""
    sizes = {
        name: int(kind.get("VCpuInfo", {}).get("DefaultVCpus", 0))
        for name, kind in _described(ec2, sorted({*listed(aws.renderer_types), *listed(aws.uploader_types)})).items()
        if _standard(name)
    }
    smallest = {
        worker: min(((sizes[kind], kind) for kind in listed(types) if sizes.get(kind)), default=None)
        for worker, types in (("renderer", aws.renderer_types), ("uploader", aws.uploader_types))
    }
    known = {worker: least for worker, least in smallest.items() if least}
    if not known:
        yield Finding(check=check, level="note", what=f"EC2 knows none of the settings' types that {code} counts")
        return
    worker, (vcpus, kind) = max(known.items(), key=lambda one: one[1])
    try:
        answer = quotas.call(
            "get_service_quota", expect=("NoSuchResourceException",), ServiceCode="ec2", QuotaCode=code
        )
    except Refused as refused:
        yield Finding(check=check, level="note", what=_line(f"not looked at: {code} of EC2: {refused.message}"))
        return
    value = float(answer.get("Quota", {}).get("Value", 0))
    if value >= vcpus:
        yield Finding(check=check, level="ok", what=f"{value:g} vCPUs at once; the smallest {worker} has {vcpus}")
        return
    hint = (
        "aws service-quotas request-service-quota-increase --service-code ec2"
        f" --quota-code {code} --desired-value {vcpus} --region {region}"
    )
    yield Finding(
        check=check,
        level="problem" if code == SPOT_QUOTA else "note",
        what=f"the account may run {value:g} vCPUs at once; the smallest {worker}, {kind}, has {vcpus}",
        hint=hint,
    )


def _standard(kind: str) -> bool:
    return kind[0] in _STANDARD_FAMILIES and not kind.startswith(_OTHER_FAMILIES)


# --- functions, roles, state machine ---------------------------------------------------------------------------------


def _concurrency(functions: Service, aws: Aws) -> Iterator[Finding]:
    check = "lambda concurrency"
    limits = functions.call("get_account_settings").get("AccountLimit", {})
    whole, left = (int(limits.get(name, 0)) for name in ("ConcurrentExecutions", "UnreservedConcurrentExecutions"))
    if not aws.reserved_concurrency:
        yield Finding(check=check, level="ok", what=f"the account runs {whole} functions at once; one is enough")
        return
    least = UNRESERVED + len(SIZES)
    if left < least and _reserved(functions, aws):
        left += len(SIZES)
    if min(whole, left) >= least:
        what = f"{left} of the account's {whole} are free; {len(SIZES)} are reserved"
        yield Finding(check=check, level="ok", what=what)
        return
    what = (
        f"aws.reserved_concurrency reserves {len(SIZES)} of the account's {whole}, of which {left} are free,"
        f" and Lambda wants {UNRESERVED} left"
    )
    hint = "set aws.reserved_concurrency to false, or ask for a higher quota of Lambda: concurrent executions"
    yield Finding(check=check, level="problem", what=what, hint=hint)


def _reserved(functions: Service, aws: Aws) -> bool:
    """Whether the functions that are deployed hold their share already. They do all, or none."""
    one = Names(aws.prefix).function(next(iter(SIZES)))
    try:
        answer = functions.call("get_function_concurrency", expect=("ResourceNotFoundException",), FunctionName=one)
    except Refused:
        return False
    return "ReservedConcurrentExecutions" in answer


def _service_roles(iam: Service) -> Iterator[Finding]:
    for role in SERVICE_ROLES:
        if _role_arn(iam, role):
            yield Finding(check="spot role", level="ok", what=f"{role} is there")
        else:
            yield Finding(check="spot role", level="note", what=f"{role} is missing: the deploy makes it")


def _role_arn(iam: Service, role: str) -> str:
    """Empty where there is no such role."""
    try:
        return str(iam.call("get_role", expect=("NoSuchEntity",), RoleName=role)["Role"]["Arn"])
    except Refused:
        return ""


def _definition(states: Service, template: Json, account: str, region: str) -> Iterator[Finding]:
    check = "state machine"
    try:
        text = asl.render(template["Resources"][MACHINE]["Properties"]["DefinitionString"]["Fn::Sub"], region, account)
    except ConfigError as wrong:
        yield Finding(check=check, level="problem", what=str(wrong), hint="mangavid template --asl shows it")
        return
    answer = states.call("validate_state_machine_definition", definition=text, type="STANDARD", severity="WARNING")
    said: dict[str, list[str]] = {}
    for one in answer.get("diagnostics", ()):
        where = f"{one['location']}: " if one.get("location") else ""
        said.setdefault(one.get("severity", ""), []).append(_line(f"{where}{one.get('message', '')}"))
    if answer.get("result") == "FAIL":
        what = f"Step Functions refuses the definition: {'; '.join(said.get('ERROR', [])[:_NAMED])}"
        yield Finding(check=check, level="problem", what=what)
    if said.get("WARNING"):
        yield Finding(check=check, level="note", what=f"Step Functions warns: {'; '.join(said['WARNING'][:_NAMED])}")
    if answer.get("result") != "FAIL" and not said.get("WARNING"):
        yield Finding(check=check, level="ok", what="Step Functions takes the definition")
