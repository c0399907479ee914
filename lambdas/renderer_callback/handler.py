"""The function ``manga-pipeline-renderer-callback``: see ``mangavid.states.renderer_callback``."""

from mangavid.aws.shell import function
from mangavid.states import renderer_callback

handler = function("renderer-callback", "WaitForRender", renderer_callback.handle)
