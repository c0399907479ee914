"""The function ``manga-pipeline-scriptgen``: see ``mangavid.states.scriptgen``."""

from mangavid.aws.shell import function
from mangavid.states import scriptgen

handler = function("scriptgen", "GenerateScript", scriptgen.handle)
