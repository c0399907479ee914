"""The function ``manga-pipeline-start-renderer``: see ``mangavid.states.start_renderer``."""

from mangavid.aws.shell import function
from mangavid.states import start_renderer

handler = function("start-renderer", "StartRenderer", start_renderer.handle)
