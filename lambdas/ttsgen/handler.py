"""The function ``manga-pipeline-ttsgen``: see ``mangavid.states.ttsgen``."""

from mangavid.aws.shell import function
from mangavid.states import ttsgen

handler = function("ttsgen", "GenerateTTS", ttsgen.handle)
