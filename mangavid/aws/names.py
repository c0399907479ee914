"""Names on AWS, all from the channel's prefix: what the template gives them and what the adapters look for.

In this region and account, ``manga-pipeline`` being the prefix: ``manga-pipeline`` (state machine, stack, schedule
group), ``manga-pipeline-<function>``, ``manga-pipeline-jobs`` (table), ``manga-pipeline-renderer`` and ``-uploader``
(launch templates), ``/manga-pipeline/renderer`` and ``/uploader`` (log groups),
``manga-pipeline-artifacts-<account>-<region>`` (bucket: bucket names are unique worldwide).
"""

from __future__ import annotations

from typing import Final

import msgspec

#: The prefix that ``statemachine.asl.json`` is written with.
WRITTEN: Final = "manga-pipeline"

#: Tags of a machine: which worker it is, and whose. Ending one is allowed by these alone.
ROLE_TAG: Final = "mangavid:role"
PREFIX_TAG: Final = "mangavid:prefix"

#: Objects with this tag and value are deleted a week after they were made, whatever became of their job.
LIFE_TAG: Final = "mangavid:life"
TEMPORARY_LIFE: Final = "temporary"


class Names(msgspec.Struct, frozen=True):
    """The names of one channel."""

    prefix: str = WRITTEN

    def function(self, name: str) -> str:
        """``name`` without the prefix, as in ``mangavid.aws.package``."""
        return f"{self.prefix}-{name}"

    def worker(self, name: str) -> str:
        """The launch template of ``renderer`` or ``uploader``."""
        return f"{self.prefix}-{name}"

    def log_group(self, worker: str) -> str:
        """Where machines log that work as ``renderer`` or ``uploader``."""
        return f"/{self.prefix}/{worker}"

    @property
    def machine(self) -> str:
        return self.prefix

    @property
    def table(self) -> str:
        return f"{self.prefix}-jobs"

    def bucket(self, account: str, region: str) -> str:
        return f"{self.prefix}-artifacts-{account}-{region}"

    def code_bucket(self, account: str, region: str) -> str:
        """Where packages and templates are uploaded to: no part of the stack."""
        return f"{self.prefix}-code-{account}-{region}"
