"""What it takes to launch one kind of machine, and no other."""

from __future__ import annotations

import re
from typing import Final

from mangavid.aws.names import PREFIX_TAG, ROLE_TAG
from mangavid.aws.stack.parts import ACCOUNT, Json, Value, allow, arn, logical, ref, sub
from mangavid.config import Aws

GROUP: Final = "WorkerSecurityGroup"
ACTIONS: Final = frozenset({"ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateTags"})

#: Publishers of public machine images, by the beginning of the parameter that names their newest one. Canonical's have
#: the alias «amazon» too, and AWS does not say which of the two it holds against the condition.
_PUBLISHERS: Final = {"/aws/service/canonical/": ["099720109477", "amazon"], "/aws/service/": "amazon"}


def listed(setting: str) -> list[str]:
    """The words of a setting that lists some."""
    return [word for word in re.split(r"[ ,]+", setting) if word]


def vpc(aws: Aws) -> Value:
    """The VPC of the machines: where none is set, the template asks for one."""
    return aws.vpc or ref("Vpc")


def statements(aws: Aws, worker: str) -> list[Json]:
    """Rights to launch ``renderer`` or ``uploader``. Two calls are checked: a fleet is made, and it runs an instance.

    The fleet may name anything that the template could. What then runs is bound: its template, type, market, tags.
    """
    template = arn("ec2", f"launch-template/${{{logical(worker)}Template}}")
    fleet = [arn("ec2", "fleet/*"), arn("ec2", "instance/*"), arn("ec2", "spot-instances-request/*")]
    parts: list[Value] = [
        template,
        arn("ec2", "volume/*"),
        arn("ec2", "network-interface/*"),
        arn("ec2", f"security-group/${{{GROUP}.GroupId}}"),
    ]
    tagged = [arn("ec2", f"{kind}/*") for kind in ("instance", "volume", "fleet", "spot-instances-request")]
    both = ["ec2:CreateFleet", "ec2:RunInstances"]
    made = [
        allow("Fleet", "ec2:CreateFleet", fleet),
        _run(aws, worker, "Spot", template),
        *([_run(aws, worker, "OnDemand", template)] if aws.on_demand_fallback else []),
        allow("SpotRequest", "ec2:RunInstances", arn("ec2", "spot-instances-request/*")),
        allow("Parts", both, parts),
        _subnets(aws, both),
        *_image(aws.image, both),
        # At no other time: who may tag could make any machine one that may be ended.
        allow("Tag", "ec2:CreateTags", tagged, {"StringEquals": {"ec2:CreateAction": ["CreateFleet", "RunInstances"]}}),
    ]
    return made


def _run(aws: Aws, worker: str, market: str, template: Json) -> Json:
    types = listed(aws.renderer_types if worker == "renderer" else aws.uploader_types)
    condition: Json = {
        "StringEquals": {
            "ec2:InstanceMarketType": "spot" if market == "Spot" else "on-demand",
            "ec2:InstanceType": types,
            "ec2:MetadataHttpTokens": "required",
            f"aws:RequestTag/{ROLE_TAG}": worker,
            f"aws:RequestTag/{PREFIX_TAG}": aws.prefix,
        },
        "ArnEquals": {"ec2:LaunchTemplate": template},
    }
    return allow(f"Run{market}", "ec2:RunInstances", arn("ec2", "instance/*"), condition)


def _subnets(aws: Aws, actions: list[str]) -> Json:
    if aws.subnets:
        return allow("Subnets", actions, [arn("ec2", f"subnet/{subnet}") for subnet in listed(aws.subnets)])
    return allow("Subnets", actions, arn("ec2", "subnet/*"), {"ArnEquals": {"ec2:Vpc": arn("ec2", "vpc/${Vpc}")}})


def _image(image: str, actions: list[str]) -> list[Json]:
    """Rights on the image. One that a parameter names is known by who published it."""
    images = "arn:${AWS::Partition}:ec2:${AWS::Region}::image/"
    if image.startswith("ami-"):
        return [allow("Image", actions, sub(images + image))]
    owner = next((one for start, one in _PUBLISHERS.items() if image.startswith(start)), "") or ACCOUNT
    whose = "" if image.startswith("/aws/service/") else "${AWS::AccountId}"
    parameter = sub(f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:{whose}:parameter{image}")
    return [
        allow("Image", actions, sub(images + "*"), {"StringEquals": {"ec2:Owner": owner}}),
        # EC2 looks the parameter up with the rights of who launches.
        allow("ImageName", "ssm:GetParameters", parameter),
    ]
