"""The function ``manga-pipeline-fetcher``: see ``mangavid.states.fetcher``."""

from mangavid.aws.shell import function
from mangavid.states import fetcher

handler = function("fetcher", "FetchManga", fetcher.handle)
