"""The function ``manga-pipeline-cleanup``: see ``mangavid.states.cleanup``."""

from mangavid.aws.shell import function
from mangavid.states import cleanup

handler = function("cleanup", "Cleanup", cleanup.handle)
