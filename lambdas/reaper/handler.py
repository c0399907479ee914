"""The function ``manga-pipeline-reaper``: see ``mangavid.states.reaper``."""

from mangavid.aws.shell import function
from mangavid.states import reaper

handler = function("reaper", "", reaper.handle)
