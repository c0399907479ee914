"""Machines as Spot instances of EC2, one for each job, phase and epoch, launched as a fleet of one.

What a machine is to do stands in its tags, which it reads from its own metadata: user data is part of the launch
template, and the same for all machines of a version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from mangavid.aws.environment import Environment
from mangavid.aws.names import PREFIX_TAG, ROLE_TAG
from mangavid.aws.session import Refused, Service
from mangavid.errors import AuthError, ConfigError, SpotCapacity
from mangavid.ports import Clock, InstanceInfo, Phase

JOB_TAG: Final = "mangavid:job"
EPOCH_TAG: Final = "mangavid:epoch"
ROLES: Final[Mapping[Phase, str]] = {"render": "renderer", "upload": "uploader"}

_ALIVE = ["pending", "running"]
#: A new instance may be unknown to EC2's lists for some seconds.
_LOOKS, _LOOK_SECONDS = 5, 2.0
_NO_CAPACITY = {
    "FleetCapacityExceeded",
    "InstanceLimitExceeded",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "MaxFleetCountExceeded",
    "MaxSpotFleetRequestCountExceeded",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
    "Unsupported",
    "VcpuLimitExceeded",
}
_NO_RIGHT = {"AuthFailure", "AuthFailure.ServiceLinkedRoleCreationNotPermitted", "UnauthorizedOperation"}
_GONE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "InvalidInstanceId")


class SpotInstances:
    """``ports.Instances``. Only what carries the channel's tags is ever listed or ended."""

    def __init__(self, ec2: Service, environment: Environment, clock: Clock) -> None:
        self._ec2 = ec2
        self._environment = environment
        self._settings = environment.config.aws
        self._clock = clock

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        """Raises SpotCapacity, AuthError, ConfigError."""
        wanted = {ROLE_TAG: ROLES[phase], JOB_TAG: job_id, EPOCH_TAG: str(epoch)}
        for known in self._find(wanted):
            return str(known["InstanceId"])
        instance, errors = self._fleet(phase, wanted, "spot")
        if not instance and self._settings.on_demand_fallback:
            instance, errors = self._fleet(phase, wanted, "on-demand")
        if instance:
            return instance
        told = ", ".join(f"{code} ({message})" for code, message in errors.items()) or "EC2 gave no reason"
        if errors.keys() & _NO_RIGHT:
            raise AuthError(f"EC2 launches no {ROLES[phase]}: {told}", hint="mangavid deploy mends the roles")
        if errors and not errors.keys() & _NO_CAPACITY:
            raise ConfigError(
                f"EC2 launches no {ROLES[phase]}: {told}", hint="mangavid deploy mends the launch template"
            )
        raise SpotCapacity(f"no machine for {job_id}: {told}")

    def _fleet(self, phase: Phase, tags: Mapping[str, str], market: str) -> tuple[str, dict[str, str]]:
        """The instance, or nothing and the reasons by their codes. A call that is repeated gets the first one's answer:
        the token has the epoch in it, which every relaunch raises."""
        environment = self._environment
        types = self._settings.renderer_types if phase == "render" else self._settings.uploader_types
        pools = [
            {"InstanceType": kind, "SubnetId": subnet}
            for kind in types.replace(",", " ").split()
            for subnet in environment.subnets
        ]
        if not environment.launch_template or not pools:
            raise ConfigError("this function is not set up to launch machines", hint="mangavid deploy does it")
        name = "|".join((self._settings.prefix, tags[JOB_TAG], phase, tags[EPOCH_TAG], market))
        strategy = (
            {"SpotOptions": {"AllocationStrategy": "price-capacity-optimized"}}
            if market == "spot"
            else {"OnDemandOptions": {"AllocationStrategy": "lowest-price"}}
        )
        try:
            answer = self._ec2.call(
                "create_fleet",
                expect=_NO_CAPACITY,
                Type="instant",
                ClientToken=hashlib.sha256(name.encode()).hexdigest(),
                TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": market},
                LaunchTemplateConfigs=[
                    {
                        "LaunchTemplateSpecification": {
                            "LaunchTemplateId": environment.launch_template,
                            "Version": environment.launch_version,
                        },
                        "Overrides": pools,
                    }
                ],
                TagSpecifications=[{"ResourceType": "instance", "Tags": _tags(self._mine(tags))}],
                **strategy,
            )
        except Refused as refused:
            return "", {refused.code: refused.message}
        errors = {str(one.get("ErrorCode")): str(one.get("ErrorMessage", "")) for one in answer.get("Errors", ())}
        # Other pools may have refused what one gave: then there is an instance, and errors besides.
        return next((one for got in answer.get("Instances", ()) for one in got["InstanceIds"]), ""), errors

    def alive(self, instance: str) -> bool:
        for look in range(_LOOKS):
            try:
                answer = self._ec2.call("describe_instances", expect=_GONE, InstanceIds=[instance])
            except Refused as refused:
                if refused.code != "InvalidInstanceID.NotFound" or look == _LOOKS - 1:
                    return False
                self._clock.sleep(_LOOK_SECONDS)
                continue
            return any(one["State"]["Name"] in _ALIVE for one in _instances(answer))
        return False

    def terminate(self, instance: str) -> None:
        """Ends it where it is one of this channel's workers; anything else is left alone."""
        filters = [{"Name": "instance-id", "Values": [instance]}, *_filters(self._mine({}))]
        answer = self._ec2.call("describe_instances", Filters=[*filters, {"Name": "tag-key", "Values": [ROLE_TAG]}])
        if any(_instances(answer)):
            self._ec2.call("terminate_instances", expect=_GONE, InstanceIds=[instance])

    def list(self) -> Iterator[InstanceInfo]:
        for one in self._find({}):
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
            phase = next((phase for phase in get_args(Phase) if ROLES[phase] == tags.get(ROLE_TAG)), None)
            if phase is None:
                continue
            epoch = tags.get(EPOCH_TAG, "")
            yield InstanceInfo(
                instance=str(one["InstanceId"]),
                phase=phase,
                job_id=tags.get(JOB_TAG, ""),
                epoch=int(epoch) if epoch.isdigit() else 0,
                launched=one["LaunchTime"],
            )

    def _find(self, tags: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Instances of this channel that live and have these tags."""
        filters = [*_filters(self._mine(tags)), {"Name": "instance-state-name", "Values": _ALIVE}]
        for reservation in self._ec2.pages(
            "describe_instances", "Reservations", ask="NextToken", told="NextToken", Filters=filters
        ):
            yield from reservation["Instances"]

    def _mine(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {PREFIX_TAG: self._settings.prefix, **tags}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _filters(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _instances(answer: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return [one for reservation in answer.get("Reservations", ()) for one in reservation["Instances"]]
