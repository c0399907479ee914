"""What a machine learns about itself: EC2's metadata service, version 2 (a session token for every question)."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from typing import Final

from mangavid.errors import UpstreamUnavailable
from mangavid.ports import Clock

ADDRESS: Final = "http://169.254.169.254"
_SESSION_SECONDS = 21_600
_SILENCE_SECONDS = 3
_LONGEST = 1 << 16
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html: ask every 5 seconds.
NOTICE_SECONDS = 5.0


class Metadata:
    """The service at ``base``, else where ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` says, else at its usual address."""

    def __init__(self, base: str = "") -> None:
        self._base = (base or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ADDRESS).rstrip("/")
        # No proxy: the answers are about this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._session = ""
        self._lock = threading.Lock()

    def get(self, path: str) -> str | None:
        """What stands at ``latest/meta-data/<path>``; None where there is nothing. Raises UpstreamUnavailable."""
        with self._lock:
            for _ in range(2):
                if not self._session:
                    header = {"X-aws-ec2-metadata-token-ttl-seconds": str(_SESSION_SECONDS)}
                    self._session = self._ask("PUT", "api/token", header)
                try:
                    return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": self._session})
                except urllib.error.HTTPError as problem:
                    problem.close()
                    if problem.code == 404:
                        return None
                    # The session has run out: once more with a new one.
                    self._session = ""
            raise UpstreamUnavailable(f"the machine's metadata service refuses meta-data/{path}")

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"{self._base}/latest/{path}", headers=headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=_SILENCE_SECONDS) as answer:
                return str(answer.read(_LONGEST), "utf-8")
        except urllib.error.HTTPError as problem:
            if method == "GET":
                raise
            problem.close()
            raise UpstreamUnavailable(f"the machine's metadata service gives no session: {problem}") from problem
        except OSError as problem:
            raise UpstreamUnavailable(f"the machine's metadata service does not answer: {problem}") from problem

    def instance_id(self) -> str:
        """Raises UpstreamUnavailable."""
        found = self.get("instance-id")
        if not found:
            raise UpstreamUnavailable("the machine's metadata service does not say which machine this is")
        return found

    def tag(self, name: str) -> str:
        """A tag of this machine, or nothing. The launch template must let machines see their tags."""
        return self.get(f"tags/instance/{name}") or ""

    def spot_notice(self) -> str | None:
        """When and how the machine is taken away, once that is decided. Raises UpstreamUnavailable."""
        found = self.get("spot/instance-action")
        if not found:
            return None
        try:
            notice = json.loads(found)
            return f"EC2 will {notice['action']} the machine at {notice['time']}"
        except (ValueError, KeyError, TypeError):
            return "EC2 takes the machine away"

    def rebalance_recommended(self) -> bool:
        """Whether the machine is likelier than others to be taken away soon. Raises UpstreamUnavailable."""
        return self.get("events/recommendations/rebalance") is not None


class Notice:
    """The worker's ``notice``: asks for the Spot notice at most every 5 s, and remembers one that came.

    A metadata service that is away is no notice: the heartbeat covers what this misses.
    """

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock
        self._due = clock.monotonic()
        self._told: str | None = None

    def __call__(self) -> str | None:
        if self._told is None and self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + NOTICE_SECONDS
            try:
                self._told = self._metadata.spot_notice()
            except UpstreamUnavailable:
                return None
        return self._told
