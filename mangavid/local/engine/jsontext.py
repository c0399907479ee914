"""JSON as Step Functions writes it. Apart from the intrinsic functions, so that reading a history stays light."""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any) -> str:
    """Compact, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
