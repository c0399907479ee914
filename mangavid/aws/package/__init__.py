"""What is put on AWS: one zip for each group of functions, and one for the machines that work on a job.

Inside a function's zip the libraries and ``mangavid`` stand at the root, and its handler in
``lambdas/<folder>/handler.py``: ``HANDLERS`` names it as Lambda wants it named. A worker's zip has the same shape, with
``ec2/`` for ``lambdas/``.

``build`` makes them all. A zip is the same bytes wherever and whenever it is made of the same locks and code, and is
named by its SHA-256: what has not changed is not uploaded, and does not show up in a plan.
"""

from __future__ import annotations

from mangavid.aws.package.build import Package, Packages, Progress, build
from mangavid.aws.package.groups import ARCHITECTURE, FOLDERS, HANDLERS, RUNTIME

__all__ = ["ARCHITECTURE", "FOLDERS", "HANDLERS", "RUNTIME", "Package", "Packages", "Progress", "build"]
