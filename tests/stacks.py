"""Templates for tests, and a CloudFormation just large enough to fill in what their texts refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mangavid.aws.package.groups import HANDLERS
from mangavid.aws.stack import template
from mangavid.aws.stack.code import CodeKeys
from mangavid.config import Aws, Config

Json = dict[str, Any]

REGION, ACCOUNT = "eu-west-1", "123456789012"
SHA256 = "0123456789abcdef" * 4
CODE = CodeKeys(
    bucket="some-code",
    functions={function: f"code/{function}-{SHA256}.zip" for function in HANDLERS},
    bundle=f"code/worker-{SHA256}.zip",
    bundle_sha256=SHA256,
)
PSEUDO = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}


def made(**aws: Any) -> Json:
    """The template for these settings of the section ``aws``, in a VPC of their own."""
    given = {"vpc": "vpc-0123abcd", "subnets": "subnet-0123abcd, subnet-4567cdef", **aws}
    return template.make(Config(aws=msgspec.convert(given, Aws)), CODE)


def properties(stack: Json, name: str) -> Json:
    found: Json = stack["Resources"][name]["Properties"]
    return found


def of_type(stack: Json, kind: str) -> dict[str, Json]:
    """Properties of all resources of a type, by logical id."""
    return {name: one["Properties"] for name, one in stack["Resources"].items() if one["Type"] == kind}


def filled(value: Any) -> Any:
    """A value with its references filled in, those to resources as ``<LogicalId>`` and ``<LogicalId.Attribute>``."""
    match value:
        case {"Ref": str(name)}:
            return PSEUDO.get(name, f"<{name}>")
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Sub": [text, values]}:
            return _sub(text, {name: str(filled(one)) for name, one in values.items()})
        case {"Fn::Sub": str(text)}:
            return _sub(text, {})
        case {"Fn::Base64": inner}:
            return filled(inner)
        case {"Fn::Join": [glue, parts]}:
            return glue.join(filled(parts)) if isinstance(parts, list) else filled(parts)
        case dict():
            return {key: filled(one) for key, one in value.items()}
        case list():
            return [filled(one) for one in value]
    return value


def _sub(text: str, values: dict[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        name = found[1]
        return "${" + name[1:] + "}" if name.startswith("!") else values.get(name) or PSEUDO.get(name, f"<{name}>")

    return re.sub(r"\$\{([^}]+)\}", one, text)


def statements(stack: Json, role: str) -> Iterator[Json]:
    """What a role's own policy allows, filled in."""
    for policy in properties(stack, role)["Policies"]:
        yield from filled(policy["PolicyDocument"]["Statement"])


def every_statement(stack: Json) -> Iterator[tuple[str, Json]]:
    for name in of_type(stack, "AWS::IAM::Role"):
        for statement in statements(stack, name):
            yield name, statement


def texts(value: Any) -> Iterator[str]:
    """Every text in a document, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
