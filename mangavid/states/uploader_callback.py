"""WaitForUpload: hand the uploader its task token, launching a new instance on a retry."""

from __future__ import annotations

from mangavid.ports import Target
from mangavid.states import dispatch
from mangavid.states.runs import Event, Result


def handle(target: Target, event: Event) -> Result:
    return dispatch.attach(target, event, "upload")
