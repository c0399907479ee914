"""Secrets as SecureString parameters of SSM, below the channel's prefix. No value is ever part of an error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mangavid.aws.session import Refused, Service
from mangavid.errors import AuthError, UsageError

_NAME = re.compile(r"[a-z0-9]+(?:[-/][a-z0-9]+)*")
#: A standard parameter holds this many bytes; larger ones cost money and another tier.
MAX_BYTES = 4096


class SsmSecrets:
    """``ports.Secrets``, and setting them. ``openai-api-key`` is the parameter ``/<prefix>/openai-api-key``."""

    def __init__(self, ssm: Service, prefix: str) -> None:
        self._ssm = ssm
        self._prefix = prefix

    def get(self, name: str) -> str:
        try:
            answer = self._ssm.call(
                "get_parameter", expect=("ParameterNotFound",), Name=self._path(name), WithDecryption=True
            )
        except Refused:
            raise AuthError(f"the secret {name} is not set", hint=f"mangavid secrets set {name}") from None
        return str(answer["Parameter"]["Value"])

    def put(self, name: str, value: str) -> None:
        """Set or replace. Raises UsageError where it is empty, or longer than a parameter can be."""
        if not 1 <= len(value.encode()) <= MAX_BYTES:
            raise UsageError(f"the secret {name} has {len(value.encode())} bytes; 1 to {MAX_BYTES} are allowed")
        self._ssm.call("put_parameter", Name=self._path(name), Value=value, Type="SecureString", Overwrite=True)

    def delete(self, name: str) -> bool:
        """Whether there was one."""
        try:
            self._ssm.call("delete_parameter", expect=("ParameterNotFound",), Name=self._path(name))
        except Refused:
            return False
        return True

    def names(self) -> Iterator[str]:
        """Those that are set, in order."""
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{self._prefix}/"]}]
        found = self._ssm.pages(
            "describe_parameters", "Parameters", ask="NextToken", told="NextToken", ParameterFilters=filters
        )
        yield from sorted(str(one["Name"]).removeprefix(f"/{self._prefix}/") for one in found)

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} can't name a secret", hint="lower-case letters and digits, parted by -")
        return f"/{self._prefix}/{name}"
