"""The bucket for code, as S3 answers where no emulator does: names that are taken, and what was broken off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mangavid.aws.deploy.code import CodeBucket, encoded
from mangavid.aws.deploy.fast import Swapped
from mangavid.errors import AuthError, ConfigError, MangavidError, UpstreamUnavailable
from tests.fakes.formation import Client, Formation, error

SET_UP = [
    "put_public_access_block",
    "put_bucket_versioning",
    "put_bucket_lifecycle_configuration",
    "put_bucket_policy",
]


class Bucket:
    """A bucket's name in S3. ``owner``: nobody, us, or another."""

    def __init__(self, owner: str = "", *, policy: bool = False) -> None:
        self.owner, self.policy = owner, policy
        self.client = Client(
            "s3",
            {
                "head_bucket": self._head,
                "create_bucket": self._create,
                "get_bucket_policy": self._policy,
                **{name: self._put(name) for name in SET_UP},
            },
        )

    def _head(self, **_: Any) -> dict[str, Any]:
        if self.owner != "us":
            raise error("404" if not self.owner else "403", "", "HeadBucket", status=403 if self.owner else 404)
        return {}

    def _create(self, **_: Any) -> dict[str, Any]:
        if self.owner:
            code = "BucketAlreadyOwnedByYou" if self.owner == "us" else "BucketAlreadyExists"
            raise error(code, "taken", "CreateBucket", status=409)
        self.owner = "us"
        return {}

    def _policy(self, **_: Any) -> dict[str, Any]:
        if not self.policy:
            raise error("NoSuchBucketPolicy", "The bucket policy does not exist", "GetBucketPolicy", status=404)
        return {"Policy": "{}"}

    def _put(self, name: str) -> Any:
        def put(**_: Any) -> dict[str, Any]:
            self.policy = self.policy or name == "put_bucket_policy"
            return {}

        return put

    def code(self, region: str = "eu-west-1") -> CodeBucket:
        return CodeBucket(replace(Formation().site(s3=self.client), region=region))


@pytest.fixture(params=["eu-west-1", "us-east-1"])
def region(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_it_is_made_in_its_region_which_is_not_named_where_that_is_the_first(region: str) -> None:
    bucket = Bucket()
    code = bucket.code(region)
    code.ensure()
    assert bucket.client.called("create_bucket", *SET_UP) == ["create_bucket", *SET_UP]
    given = dict(bucket.client.calls)["create_bucket"]
    assert given["Bucket"] == f"manga-pipeline-code-123456789012-{region}"
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    assert {key: value for key, value in given.items() if key != "Bucket"} == place
    assert code.url("templates/x.json") == f"https://s3.{region}.amazonaws.com/{given['Bucket']}/templates/x.json"


def test_one_that_is_there_and_set_up_is_not_touched() -> None:
    bucket = Bucket("us", policy=True)
    bucket.code().ensure()
    assert bucket.client.called("create_bucket", *SET_UP) == []


def test_one_whose_making_was_broken_off_gets_the_settings_it_lacks() -> None:
    bucket = Bucket("us")
    bucket.code().ensure()
    assert bucket.client.called(*SET_UP) == SET_UP
    bucket.client.calls.clear()
    bucket.code().ensure()
    assert bucket.client.called(*SET_UP) == []


def test_who_may_not_see_its_policy_leaves_it_as_it_is() -> None:
    bucket = Bucket("us")
    bucket.client.refuse["get_bucket_policy"] = [error("AccessDenied", "Access Denied", "GetBucketPolicy", status=403)]
    bucket.code().ensure()
    assert bucket.client.called(*SET_UP) == []


def test_a_name_that_another_account_has_is_a_setting_to_change() -> None:
    for act in (CodeBucket.exists, CodeBucket.ensure):
        bucket = Bucket("another")
        with pytest.raises(ConfigError, match="belongs to another account") as caught:
            act(bucket.code())
        assert "aws.prefix" in caught.value.hint
        assert bucket.client.called(*SET_UP) == []


def test_a_name_that_another_account_takes_at_the_same_moment_is_told_as_that() -> None:
    bucket = Bucket()
    bucket.client.refuse["create_bucket"] = [error("BucketAlreadyExists", "taken", "CreateBucket", status=409)]
    code = bucket.code()
    assert not code.exists()
    bucket.owner = "another"
    with pytest.raises(ConfigError, match="belongs to another account"):
        code.ensure()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("OperationAborted", UpstreamUnavailable), ("AccessDenied", AuthError), ("SlowDown", UpstreamUnavailable)],
)
def test_what_passes_by_itself_is_to_be_tried_again_and_what_is_forbidden_is_not(
    code: str, kind: type[MangavidError]
) -> None:
    bucket = Bucket()
    bucket.client.refuse["create_bucket"] = [error(code, "A conflicting operation", "CreateBucket", status=409)]
    with pytest.raises(kind):
        bucket.code().ensure()


def test_what_is_stored_reads_as_it_was_written() -> None:
    swapped = Swapped(functions={"fetcher": "code/fetcher-0.zip"}, definition=True)
    assert msgspec.json.decode(encoded(swapped), type=Swapped) == swapped
