"""Clients of AWS services: made when first used, with timeouts and retries, their errors translated.

The endpoint is AWS's, or what ``AWS_ENDPOINT_URL`` (or ``AWS_ENDPOINT_URL_<SERVICE>``) says; region and credentials are
found where the AWS command line finds them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import botocore.session  # noqa: TID253 - loaded only by those that call AWS
from botocore.config import Config  # noqa: TID253
from botocore.exceptions import BotoCoreError, ClientError  # noqa: TID253
from botocore.parsers import ResponseParserError  # noqa: TID253

from mangavid.aws.failures import code_of, failure

Response = Mapping[str, Any]

_ATTEMPTS = 6
_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_THREADS = 8


class Refused(Exception):
    """AWS refused a call with a code that the caller expects. ``response`` is the parsed answer."""

    def __init__(self, code: str, response: Response) -> None:
        super().__init__(code)
        self.code = code
        self.response = response

    @property
    def message(self) -> str:
        return str(self.response.get("Error", {}).get("Message", ""))

    @property
    def retried(self) -> bool:
        """Whether the call was sent more than once: an earlier sending may have had its effect."""
        return int(self.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


class Service:
    """One AWS service. Usable from several threads."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name = name
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def client(self) -> Any:
        """The botocore client. Raises AuthError, ConfigError."""
        with self._lock:
            if self._made is None:
                try:
                    self._made = self._make()
                except BotoCoreError as problem:
                    raise failure(problem, self._name) from problem
            return self._made

    def call(self, operation: str, *, expect: Container[str] = (), **parameters: Any) -> dict[str, Any]:
        """Call an operation by its Python name (``get_item``).

        Raises Refused where AWS answers with a code in ``expect``, else what ``failures.failure`` makes of it.
        """
        client = self.client
        try:
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except ClientError as problem:
            if code_of(problem) in expect:
                raise Refused(code_of(problem), problem.response) from problem
            raise failure(problem, f"{self._name} {operation}") from problem
        except (BotoCoreError, ResponseParserError, NotImplementedError) as problem:  # the last: moto in this process
            raise failure(problem, f"{self._name} {operation}") from problem
        return answer

    def link(self, operation: str, seconds: int, **parameters: Any) -> str:
        """An address that does this operation for whoever opens it within that time. Raises AuthError, ConfigError."""
        client = self.client
        try:
            return str(client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds))
        except BotoCoreError as problem:
            raise failure(problem, f"{self._name} {operation}") from problem

    def pages(
        self, operation: str, items: str, *, ask: str, told: str, expect: Container[str] = (), **parameters: Any
    ) -> Iterator[Any]:
        """The entries of ``items`` over all pages; ``ask`` and ``told`` name the token of the next page."""
        while True:
            answer = self.call(operation, expect=expect, **parameters)
            yield from answer.get(items, ())
            if not answer.get(told):
                return
            parameters = {**parameters, ask: answer[told]}

    def ahead(
        self,
        operation: str,
        items: str,
        *,
        ask: str,
        told: str,
        limit: tuple[str, int] | None = None,
        **parameters: Any,
    ) -> Iterator[Any]:
        """As ``pages``, but the first page is asked for at once, and each other while the one before it is read.

        ``limit``: a parameter of the first page alone. Who wants a small one may want no more, so the second is then
        asked for only when it is wanted.
        """
        # Made here: botocore's sessions make no two clients at a time.
        _ = self.client
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=self._name)
        threads = self._threads

        def page(more: Response) -> Future[dict[str, Any]]:
            return threads.submit(self.call, operation, **{**parameters, **more})

        def entries(coming: Future[dict[str, Any]], small: bool) -> Iterator[Any]:
            while True:
                answer = coming.result()
                more = {ask: answer[told]} if answer.get(told) else {}
                if more and not small:
                    coming = page(more)
                yield from answer.get(items, ())
                if not more:
                    return
                if small:
                    coming = page(more)
                small = False

        return entries(page(dict([limit]) if limit else {}), limit is not None)


class Clients:
    """The services of one account and region. Credentials are looked for at the first call, not here.

    ``silence``: seconds that an answer is waited for.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        profile: str = "",
        attempts: int = _ATTEMPTS,
        silence: float = _READ_SECONDS,
    ) -> None:
        self._region = region
        self._profile = profile or None
        self._attempts = attempts
        self._silence = silence
        self._lock = threading.Lock()
        self._session: Any = None
        self._services: dict[str, Service] = {}

    @property
    def session(self) -> Any:
        """The botocore session that all clients are made from: one place for event hooks."""
        with self._lock:
            if self._session is None:
                self._session = botocore.session.Session(profile=self._profile)
            return self._session

    def __getitem__(self, name: str) -> Service:
        """The service of this name, as botocore calls it (``stepfunctions``)."""
        with self._lock:
            if name not in self._services:
                self._services[name] = Service(name, lambda: self._client(name))
            return self._services[name]

    @property
    def region(self) -> str:
        """The region in use. Raises ConfigError where none is set."""
        return str(self["sts"].client.meta.region_name)

    def _client(self, name: str) -> Any:
        elsewhere = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3")
        config = Config(
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            connect_timeout=min(_CONNECT_SECONDS, self._silence),
            read_timeout=self._silence,
            max_pool_connections=16,
            tcp_keepalive=True,
            # A bucket is no host of a server of one's own.
            s3={"addressing_style": "path"} if elsewhere else None,
            # Else links get a signature that newer regions, and objects under a key, refuse.
            signature_version="s3v4" if name == "s3" else None,
        )
        return self.session.create_client(name, region_name=self._region, config=config)
