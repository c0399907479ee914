"""The function ``manga-pipeline-uploader-callback``: see ``mangavid.states.uploader_callback``."""

from mangavid.aws.shell import function
from mangavid.states import uploader_callback

handler = function("uploader-callback", "WaitForUpload", uploader_callback.handle)
