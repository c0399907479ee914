"""The bucket that packages, templates and the list of releases lie in: made by calls, as the stack names its content.

Packages and templates are named by what is in them, so they are written once and never change: an older release can be
put in force again, and CloudFormation finds what it rolls back to.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from mangavid import faults
from mangavid.aws.deploy.progress import Step, Tell
from mangavid.aws.deploy.site import Site
from mangavid.aws.objects import S3Objects
from mangavid.aws.package import Package
from mangavid.aws.session import Refused
from mangavid.errors import ConfigError, UpstreamUnavailable

_UPLOADS = 3


class CodeBucket:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._s3 = site.clients["s3"]
        self.name = site.code
        self._objects = S3Objects(self._s3, site.code, Path(tempfile.gettempdir()) / "mangavid-code")

    def exists(self) -> bool:
        """Raises ConfigError where the name is somebody else's."""
        try:
            self._s3.call(
                "head_bucket",
                expect=("404", "403", "NoSuchBucket", "AccessDenied"),
                Bucket=self.name,
                ExpectedBucketOwner=self._site.account,
            )
        except Refused as refused:
            if refused.code in ("404", "NoSuchBucket"):
                return False
            raise ConfigError(
                f"the bucket {self.name} belongs to another account, or these credentials may not see it",
                hint="set aws.prefix to a name of your own, or let someone allow them s3:ListBucket on it",
            ) from refused
        return True

    def ensure(self) -> None:
        """Make it where it is not there with all its settings. Raises ConfigError where the name is somebody else's."""
        if not (self.exists() and self._is_set_up()):
            self._make()

    def _is_set_up(self) -> bool:
        """By its policy, which is set last: making it may have been broken off."""
        try:
            self._s3.call(
                "get_bucket_policy",
                expect=("NoSuchBucketPolicy", "AccessDenied"),
                Bucket=self.name,
                ExpectedBucketOwner=self._site.account,
            )
        except Refused as refused:
            return refused.code == "AccessDenied"  # who may not look may not be allowed to set it either
        return True

    def _make(self) -> None:
        region = self._site.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._s3.call(
                "create_bucket",
                expect=("BucketAlreadyOwnedByYou", "BucketAlreadyExists", "OperationAborted"),
                Bucket=self.name,
                **place,
            )
        except Refused as refused:
            if refused.code == "OperationAborted":
                raise UpstreamUnavailable(
                    f"the bucket {self.name} is being made or deleted by another: {refused.message}"
                ) from refused
            self.exists()
        faults.point("deploy.bucket")
        for operation, parameters in self._set_up().items():
            self._s3.call(operation, Bucket=self.name, **parameters)

    def _set_up(self) -> dict[str, dict[str, Any]]:
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        lives = [
            {
                "ID": "broken-off",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
            },
            {
                "ID": "replaced",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            },
        ]
        return {
            "put_public_access_block": {"PublicAccessBlockConfiguration": dict.fromkeys(closed, True)},
            "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
            "put_bucket_lifecycle_configuration": {"LifecycleConfiguration": {"Rules": lives}},
            "put_bucket_policy": {"Policy": tls_only(self.name)},
        }

    def missing(self, packages: Sequence[Package]) -> list[Package]:
        """Those that are not there yet, whole."""
        there = {one.key: one.bytes for one in self._objects.list("code")}
        return [one for one in packages if there.get(one.key) != one.size]

    def upload(self, packages: Sequence[Package], tell: Tell) -> None:
        """Several at once; each is there whole or not at all."""
        total, done = sum(one.size for one in packages), 0

        def put(package: Package) -> Package:
            tell(Step(what="upload", name=package.key, status="begun", done=done, total=total))
            self._objects.put(package.key, package.file)
            faults.point("deploy.uploaded", package.name)
            return package

        with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="packages") as pool:
            for package in pool.map(put, packages):
                done += package.size
                tell(Step(what="upload", name=package.key, status="done", done=done, total=total))

    def put(self, key: str, data: bytes) -> None:
        self._objects.put(key, data)

    def put_once(self, key: str, data: bytes) -> None:
        """For what is named by its content."""
        if not self._objects.exists(key):
            self._objects.put(key, data)

    def get(self, key: str) -> bytes:
        """Raises SourceNotFound."""
        return self._objects.get(key)

    def find(self, key: str) -> bytes | None:
        return self._objects.get(key) if self._objects.exists(key) else None

    def keys(self, prefix: str) -> list[str]:
        return [one.key for one in self._objects.list(prefix)]

    def delete(self, *keys: str) -> None:
        self._objects.delete(keys)

    def url(self, key: str) -> str:
        """Where CloudFormation reads an object."""
        return f"https://s3.{self._site.region}.amazonaws.com/{self.name}/{key}"


def tls_only(bucket: str) -> str:
    """The policy of a bucket that is reached by TLS only."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def encoded(value: Mapping[str, Any] | msgspec.Struct) -> bytes:
    """As it is stored."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
