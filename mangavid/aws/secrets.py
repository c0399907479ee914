"""Secrets as SecureString parameters of SSM, below the channel's prefix. No value is ever part of an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from mangavid.aws.parameters import MAX_BYTES, typed_as
from mangavid.aws.session import Refused, Service
from mangavid.errors import AuthError, MangavidError, UsageError

_NAME = re.compile(r"[a-z0-9]+(?:[-/][a-z0-9]+)*")


class SsmSecrets:
    """``ports.Secrets``, and setting them. ``openai-api-key`` is the parameter ``/<prefix>/openai-api-key``."""

    def __init__(self, ssm: Service, prefix: str) -> None:
        self._ssm = ssm
        self._prefix = prefix

    def get(self, name: str) -> str:
        try:
            answer = self._ssm.call(
                "get_parameter", expect=("ParameterNotFound",), Name=self.path(name), WithDecryption=True
            )
        except Refused:
            raise AuthError(f"the secret {name} is not set", hint=f"mangavid secrets set {typed_as(name)}") from None
        return str(answer["Parameter"]["Value"])

    def put(self, name: str, value: str) -> None:
        """Set or replace. Raises UsageError where it is empty, or longer than a parameter can be."""
        if not 1 <= len(value.encode()) <= MAX_BYTES:
            raise UsageError(f"the secret {name} has {len(value.encode())} bytes; 1 to {MAX_BYTES} are allowed")
        refused = False
        try:
            self._ssm.call("put_parameter", Name=self.path(name), Value=value, Type="SecureString", Overwrite=True)
        except MangavidError as problem:
            if type(problem) is not MangavidError:
                raise
            refused = True
        if refused:
            # Of a request that it does not understand AWS may tell any part: its words go no further.
            hint = f"does SSM take names below /{self._prefix} (not aws…, not ssm…)? The setting is aws.prefix"
            raise MangavidError(f"ssm put_parameter: {self.path(name)} is refused", hint=hint)

    def delete(self, name: str) -> bool:
        """Whether there was one."""
        try:
            self._ssm.call("delete_parameter", expect=("ParameterNotFound",), Name=self.path(name))
        except Refused:
            return False
        return True

    def changed(self) -> dict[str, datetime]:
        """Those that are set, in order, each with when it last was."""
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{self._prefix}/"]}]
        found = self._ssm.pages(
            "describe_parameters", "Parameters", ask="NextToken", told="NextToken", ParameterFilters=filters
        )
        dates = {str(one["Name"]).removeprefix(f"/{self._prefix}/"): one["LastModifiedDate"] for one in found}
        return dict(sorted(dates.items()))

    def names(self) -> Iterator[str]:
        """Those that are set, in order."""
        yield from self.changed()

    def path(self, name: str) -> str:
        """The parameter's full name. Raises UsageError for one that could lead elsewhere."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} can't name a secret", hint="lower-case letters and digits, parted by -")
        return f"/{self._prefix}/{name}"
