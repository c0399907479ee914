"""The function ``manga-pipeline-handle-error``: see ``mangavid.states.handle_error``."""

from mangavid.aws.shell import function
from mangavid.states import handle_error

handler = function("handle-error", "HandleError", handle_error.handle)
