"""The function ``manga-pipeline-start-uploader``: see ``mangavid.states.start_uploader``."""

from mangavid.aws.shell import function
from mangavid.states import start_uploader

handler = function("start-uploader", "StartUploader", start_uploader.handle)
