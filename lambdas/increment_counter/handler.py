"""The function ``manga-pipeline-increment-counter``: see ``mangavid.states.increment_counter``."""

from mangavid.aws.shell import function
from mangavid.states import increment_counter

handler = function("increment-counter", "IncrementCounter", increment_counter.handle)
