"""The function ``manga-pipeline-check-quota``: see ``mangavid.states.check_quota``."""

from mangavid.aws.shell import function
from mangavid.states import check_quota

handler = function("check-quota", "CheckQuota", check_quota.handle)
