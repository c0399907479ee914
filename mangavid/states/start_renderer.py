"""StartRenderer: launch the renderer's instance, unless the result is there already."""

from __future__ import annotations

from mangavid.ports import Target
from mangavid.states import dispatch
from mangavid.states.runs import Event, Result


def handle(target: Target, event: Event) -> Result:
    return dispatch.prepare(target, event, "render")
