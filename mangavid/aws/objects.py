"""The object store in S3: every put is checked by its SHA-256, large files go in parts, reads are kept on disk.

What is asked of the bucket fits roles that see only some prefixes: whether an object is there is asked by listing,
since to them S3 answers a missing object and a forbidden one alike.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mangavid import faults
from mangavid.aws.failures import failure
from mangavid.aws.names import LIFE_TAG, TEMPORARY_LIFE
from mangavid.aws.session import Refused, Service
from mangavid.errors import ConditionFailed, MangavidError, SourceNotFound, UpstreamUnavailable
from mangavid.keys import TEMPORARY
from mangavid.models import Product

PART_BYTES = 16 << 20
_CHUNK = 1 << 20
_PARTS_AT_ONCE = 4
_DELETE_AT_ONCE = 1000
_MISSING = ("NoSuchKey", "404", "AccessDenied", "403")
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict")
#: How often a put is sent anew where another put of the same key is under way.
_CONFLICTS = 5


class S3Objects:
    """``ports.Objects`` over one bucket. ``cache`` is a folder for fetched files; ``part_bytes`` at least 5 MiB."""

    def __init__(self, s3: Service, bucket: str, cache: Path, *, part_bytes: int = PART_BYTES) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._cache = cache
        self._part_bytes = part_bytes

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> Product:
        _check(key)
        sha256, size = _measure(data)
        faults.point("objects.put")
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        tagging = _tagging(key)
        for _ in range(_CONFLICTS):
            try:
                if isinstance(data, Path) and size > self._part_bytes:
                    self._put_parts(key, data, condition, tagging)
                else:
                    self._put_whole(key, data, sha256, {**condition, **tagging})
                break
            except Refused as refused:
                if refused.code == "PreconditionFailed":
                    raise ConditionFailed(f"{key} exists") from refused
        else:
            raise UpstreamUnavailable(f"{key} is being written by others all the time")
        faults.point("objects.stored")
        return Product(key=key, sha256=sha256.hex(), bytes=size)

    def _put_whole(self, key: str, data: bytes | Path, sha256: bytes, condition: dict[str, str]) -> None:
        checksum = base64.b64encode(sha256).decode()
        body = data.open("rb") if isinstance(data, Path) else None
        try:
            self._call("put_object", key, expect=_EXISTS, Body=body or data, ChecksumSHA256=checksum, **condition)
        finally:
            if body is not None:
                body.close()

    def _put_parts(self, key: str, file: Path, condition: dict[str, str], tagging: dict[str, str]) -> None:
        """In parts that S3 checks one by one. What fails leaves no parts behind that would be paid for."""
        upload = self._call("create_multipart_upload", key, ChecksumAlgorithm="SHA256", **tagging)["UploadId"]
        try:
            count = -(-file.stat().st_size // self._part_bytes)
            with ThreadPoolExecutor(_PARTS_AT_ONCE, thread_name_prefix="upload") as pool:
                parts = list(pool.map(lambda number: self._put_part(key, file, upload, number), range(1, count + 1)))
            self._call(
                "complete_multipart_upload",
                key,
                expect=_EXISTS,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
                **condition,
            )
        except BaseException:
            with suppress(MangavidError):
                self._call("abort_multipart_upload", key, UploadId=upload)
            raise

    def _put_part(self, key: str, file: Path, upload: str, number: int) -> dict[str, Any]:
        with file.open("rb") as opened:
            opened.seek((number - 1) * self._part_bytes)
            data = opened.read(self._part_bytes)
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        answer = self._call("upload_part", key, UploadId=upload, PartNumber=number, Body=data, ChecksumSHA256=checksum)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def get(self, key: str) -> bytes:
        from botocore.exceptions import BotoCoreError

        body = self._open(key)["Body"]
        try:
            with body:
                return bytes(body.read())
        except BotoCoreError as problem:
            raise failure(problem, f"s3 get_object {key}") from problem

    def fetch(self, key: str) -> Path:
        """The file keeps its name's ending, and stays in the cache until another version is fetched."""
        _check(key)
        found = self._look(key)
        if found is None:
            raise _not_found(key)
        path = self._cached(key, found["ETag"])
        return path if path.is_file() else self._download(key)

    def _cached(self, key: str, etag: str) -> Path:
        version = hashlib.sha256(f"{key} {etag}".encode()).hexdigest()
        return self._cache / f"{version}{Path(key).suffix}"

    def _download(self, key: str) -> Path:
        from botocore.exceptions import BotoCoreError

        self._cache.mkdir(parents=True, exist_ok=True)
        answer = self._open(key)
        path = self._cached(key, answer["ETag"])
        handle, name = tempfile.mkstemp(prefix=".fetch-", dir=self._cache)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out, answer["Body"] as body:
                shutil.copyfileobj(body, out, _CHUNK)
            temporary.replace(path)
            return path
        except BotoCoreError as problem:
            raise failure(problem, f"s3 get_object {key}") from problem
        finally:
            temporary.unlink(missing_ok=True)

    def _open(self, key: str) -> dict[str, Any]:
        _check(key)
        try:
            return self._call("get_object", key, expect=_MISSING)
        except Refused as refused:
            if refused.code in ("AccessDenied", "403") and self.exists(key):
                # It is there, and not for us: the call that is not expected to be refused says so.
                return self._call("get_object", key)
            raise _not_found(key) from refused

    def exists(self, key: str) -> bool:
        _check(key)
        return self._look(key) is not None

    def version(self, key: str) -> str:
        """What changes when the object does; empty where there is none."""
        _check(key)
        return str((self._look(key) or {}).get("ETag", ""))

    def link(self, key: str, seconds: int) -> str:
        """An https address of the object, for whoever has it, that long; less where the credentials end sooner."""
        _check(key)
        return self._s3.link("get_object", seconds, Bucket=self._bucket, Key=key)

    def _look(self, key: str) -> dict[str, Any] | None:
        answer = self._s3.call("list_objects_v2", Bucket=self._bucket, Prefix=key, MaxKeys=1)
        first: dict[str, Any] | None = next(iter(answer.get("Contents", ())), None)
        return first if first and first["Key"] == key else None

    def list(self, prefix: str) -> Iterator[Product]:
        _check(prefix.rstrip("/"))
        return (Product(key=one["Key"], sha256="", bytes=one["Size"]) for one in self._below(f"{prefix.rstrip('/')}/"))

    def _below(self, prefix: str) -> Iterator[dict[str, Any]]:
        return self._s3.pages(
            "list_objects_v2",
            "Contents",
            ask="ContinuationToken",
            told="NextContinuationToken",
            Bucket=self._bucket,
            Prefix=prefix,
        )

    def delete(self, keys: Sequence[str]) -> int:
        """S3 does not say which there were: they are listed, below what their names have in common."""
        for key in keys:
            _check(key)
        wanted = set(keys)
        if not wanted:
            return 0
        there = [one["Key"] for one in self._below(_shared(wanted)) if one["Key"] in wanted]
        for begin in range(0, len(there), _DELETE_AT_ONCE):
            batch = [{"Key": key} for key in there[begin : begin + _DELETE_AT_ONCE]]
            answer = self._s3.call("delete_objects", Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            for refused in answer.get("Errors", ()):
                raise UpstreamUnavailable(f"{refused['Key']} could not be deleted: {refused['Code']}")
        return len(there)

    def _call(self, operation: str, key: str, *, expect: Sequence[str] = (), **parameters: Any) -> dict[str, Any]:
        return self._s3.call(operation, expect=expect, Bucket=self._bucket, Key=key, **parameters)


def _check(key: str) -> None:
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise ValueError(f"not an object key: {key!r}")


def _shared(keys: set[str]) -> str:
    """The longest text that all keys begin with."""
    first, last = min(keys), max(keys)
    return next((first[:n] for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), first)


def _tagging(key: str) -> dict[str, str]:
    """The tag by which S3 itself deletes a temporary object in the end, should Cleanup never come to it."""
    parts = key.split("/")
    if parts[0] != "jobs" or len(parts) < 4 or parts[2] not in TEMPORARY:
        return {}
    return {"Tagging": urlencode({LIFE_TAG: TEMPORARY_LIFE})}


def _measure(data: bytes | Path) -> tuple[bytes, int]:
    """SHA-256 and size."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).digest(), len(data)
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest(), file.tell()


def _not_found(key: str) -> SourceNotFound:
    return SourceNotFound(f"no object {key}", hint="remake the chapter with --again")
