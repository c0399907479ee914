"""The machines that work on a job: a launch template and a log group each for renderer and uploader, and their rights.

A template says all that does not depend on the job. Whoever launches adds type, subnet, market, and tags that name the
job. Two workers and two roles: the one that decodes pages from outside holds nothing that publishes.
"""

from __future__ import annotations

from typing import Final

from mangavid.aws.names import PREFIX_TAG, ROLE_TAG, Names
from mangavid.aws.stack import storage
from mangavid.aws.stack.code import CodeKeys
from mangavid.aws.stack.functions import told
from mangavid.aws.stack.launching import GROUP, vpc
from mangavid.aws.stack.parts import Json, Value, allow, att, log_group, logical, ref, sub, trust
from mangavid.aws.stack.rights import made_by, role
from mangavid.aws.userdata import user_data
from mangavid.config import Aws, Config
from mangavid.errors import ConfigError

WORKERS: Final = ("renderer", "uploader")
DISK_GB: Final = {"renderer": 40, "uploader": 20}


def parameters(aws: Aws) -> dict[str, Json]:
    """What the template asks for, where the settings don't say it."""
    if aws.vpc:
        return {}
    return {
        "Vpc": {"Type": "AWS::EC2::VPC::Id", "Description": "VPC of the machines, say the account's default one"},
        "Subnets": {
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "Subnets of that VPC with a way out to the internet, in as many zones as there are",
        },
    }


def resources(config: Config, code: CodeKeys) -> dict[str, Json]:
    if bool(config.aws.vpc) != bool(config.aws.subnets):
        raise ConfigError("aws.vpc and aws.subnets belong together", hint="set both, or neither for the default VPC")
    made = {GROUP: _security_group(config.aws)}
    for worker in WORKERS:
        name = logical(worker)
        made[f"{name}Logs"] = log_group(Names(config.aws.prefix).log_group(worker), config.aws.log_days, storage.KEY)
        made |= role(config.aws, worker, _rights(config.aws, worker, code), by=trust("ec2.amazonaws.com"))
        made[f"{name}Profile"] = {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {
                "InstanceProfileName": sub(f"{Names(config.aws.prefix).worker(worker)}-${{AWS::Region}}"),
                "Roles": [ref(f"{name}Role")],
            },
        }
        made[f"{name}Template"] = _launch_template(config, worker, code)
    return made


def outputs() -> dict[str, Json]:
    return {
        f"{logical(worker)}Template": {
            "Description": f"The launch template of {worker}s",
            "Value": ref(f"{logical(worker)}Template"),
        }
        for worker in WORKERS
    }


def _security_group(aws: Aws) -> Json:
    properties: Json = {
        "GroupDescription": f"{aws.prefix}: nothing comes in, HTTPS goes out",
        "VpcId": vpc(aws),
        "SecurityGroupIngress": [],
        "SecurityGroupEgress": [
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "CidrIp": "0.0.0.0/0",
                "Description": "HTTPS to AWS and to the publisher",
            }
        ],
    }
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}


def _launch_template(config: Config, worker: str, code: CodeKeys) -> Json:
    aws = config.aws
    tags = [{"Key": "Name", "Value": Names(aws.prefix).worker(worker)}]
    tags += [{"Key": ROLE_TAG, "Value": worker}, {"Key": PREFIX_TAG, "Value": aws.prefix}]
    data: Json = {
        "ImageId": aws.image if aws.image.startswith("ami-") else f"resolve:ssm:{aws.image}",
        "IamInstanceProfile": {"Arn": att(f"{logical(worker)}Profile")},
        "SecurityGroupIds": [att(GROUP, "GroupId")],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "enabled",  # a machine reads there which job is its
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",  # the root of Ubuntu's images
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": DISK_GB[worker],
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "UserData": {"Fn::Base64": sub(_user_data(config, worker, code))},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    return {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {"LaunchTemplateName": Names(aws.prefix).worker(worker), "LaunchTemplateData": data},
    }


def _user_data(config: Config, worker: str, code: CodeKeys) -> str:
    """The machine's script as Sub takes it: references stand in its head, and nothing else in it looks like one."""
    head = {
        "region": "${AWS::Region}",
        "bucket": within(code.bucket),
        "key": within(code.bundle),
        "sha256": within(code.bundle_sha256),
        "worker": worker,
        "environment": {
            "MANGAVID_TABLE": f"${{{storage.TABLE}}}",
            "MANGAVID_BUCKET": f"${{{storage.BUCKET}}}",
            "MANGAVID_SETTINGS": within(told(config)),
        },
    }
    return user_data(head)


def within(value: Value) -> str:
    """A value inside a text for Sub: a parameter by reference, text such that Sub leaves it as it is."""
    return value.replace("${", "${!") if isinstance(value, str) else f"${{{value['Ref']}}}"


def _rights(aws: Aws, worker: str, code: CodeKeys) -> list[Json]:
    bundle = sub("arn:${AWS::Partition}:s3:::${bucket}/${key}", bucket=code.bucket, key=code.bundle)
    return [*made_by(aws, worker), allow("Package", "s3:GetObject", bundle)]
