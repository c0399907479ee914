"""Which calls each function and machine makes: what its role must allow, and nothing besides.

``PERMISSIONS[name][action]`` are the resources, by kind. Tests hold the table against the calls that are really made
and against the roles of the template, both ways.

| kind | what |
|---|---|
| ``table:JOB#`` | items of the jobs table whose key begins so (``dynamodb:LeadingKeys``) |
| ``index:status-index`` | an index of the table |
| ``object:jobs/*/pages/*`` | objects of the artifact bucket |
| ``bucket:jobs/*`` | the bucket, listed below a prefix (``s3:prefix``) |
| ``execution`` | executions of the state machine |
| ``launch:renderer`` | the fleet, and all that an instance of this role is launched from |
| ``instance:renderer`` | instances with this role and the channel's prefix in their tags |
| ``role:renderer`` | that instance's role, passed to EC2 |
| ``log:renderer`` | the log group of these machines, with its streams |
| ``parameter:youtube-token`` | a secret of the channel, in SSM |
| ``any`` | AWS knows no narrower resource |
"""

from __future__ import annotations

from typing import Final

Grants = dict[str, tuple[str, ...]]

_JOB, _RUN, _QUOTA, _LOCK, _STORY = "table:JOB#", "table:RUN#", "table:QUOTA#", "table:LOCK#", "table:STORY#"
_GET, _UPDATE, _QUERY = "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query"
_TEMPORARY = tuple(f"object:jobs/*/{part}/*" for part in ("pages", "script", "audio", "render"))
_PAGES, _SCRIPT, _AUDIO, _RENDER = _TEMPORARY
_FINAL = "object:jobs/*/final/*"
_LIST = {"s3:ListBucket": ("bucket:jobs/*",)}
_ITEM: Grants = {_GET: (_JOB,), _UPDATE: (_JOB,)}
_ANSWER: Grants = {
    "states:SendTaskSuccess": ("any",),
    "states:SendTaskFailure": ("any",),
    "states:SendTaskHeartbeat": ("any",),
}


def _puts(*kinds: str) -> Grants:
    """Temporary objects are put with the tag by which they are deleted in the end."""
    return {"s3:PutObject": kinds, "s3:PutObjectTagging": kinds}


def _launches(role: str) -> Grants:
    return {
        "ec2:CreateFleet": (f"launch:{role}",),
        "ec2:RunInstances": (f"launch:{role}",),
        "ec2:CreateTags": (f"launch:{role}",),
        "iam:PassRole": (f"role:{role}",),
        "ec2:DescribeInstances": ("any",),
    }


def _logs(role: str) -> Grants:
    return {"logs:CreateLogStream": (f"log:{role}",), "logs:PutLogEvents": (f"log:{role}",)}


def _attaches(role: str) -> Grants:
    return {
        **_ITEM,
        **_launches(role),
        "ec2:TerminateInstances": (f"instance:{role}",),
        "states:SendTaskSuccess": ("any",),
    }


_ENDS: Grants = {
    "ec2:DescribeInstances": ("any",),
    "ec2:TerminateInstances": ("instance:renderer", "instance:uploader"),
}

#: By the function's name without its prefix; ``renderer`` and ``uploader`` are the machines.
PERMISSIONS: Final[dict[str, Grants]] = {
    "check-quota": {
        _GET: (_RUN, _QUOTA),
        _UPDATE: (_RUN, _LOCK),
        "states:DescribeExecution": ("execution",),
    },
    "fetcher": {
        _GET: (_JOB, _RUN, _QUOTA),
        _UPDATE: (_JOB, _RUN, _QUOTA),
        _QUERY: ("index:status-index",),
        "states:DescribeExecution": ("execution",),
        "s3:ListBucket": ("bucket:jobs/*", "bucket:library/*", "bucket:inbox/*"),
        "s3:GetObject": (_PAGES, "object:library/*", "object:inbox/*"),
        **_puts(_PAGES),
        "s3:DeleteObject": _TEMPORARY,
    },
    "scriptgen": {
        _GET: (_JOB, _QUOTA, _STORY),
        _UPDATE: (_JOB, _QUOTA, _STORY),
        **_LIST,
        "s3:GetObject": (_PAGES, _SCRIPT),
        **_puts(_SCRIPT),
        "ssm:GetParameter": ("parameter:openai-api-key",),
    },
    "ttsgen": {
        **_ITEM,
        **_LIST,
        "s3:GetObject": (_SCRIPT, _AUDIO),
        **_puts(_AUDIO),
        "ssm:GetParameter": ("parameter:openai-api-key", "parameter:speech-api-key"),
    },
    "start-renderer": {**_ITEM, **_launches("renderer")},
    "renderer-callback": _attaches("renderer"),
    "start-uploader": {**_ITEM, **_launches("uploader")},
    "uploader-callback": _attaches("uploader"),
    "cleanup": {**_ITEM, **_LIST, "s3:DeleteObject": _TEMPORARY},
    "increment-counter": {_GET: (_JOB, _RUN, _QUOTA), _UPDATE: (_RUN, _QUOTA)},
    "handle-error": {_GET: (_JOB, _RUN, _QUOTA), _UPDATE: (_JOB, _RUN), **_ENDS},
    "reaper": {
        _GET: (_JOB, _LOCK),
        _UPDATE: (_JOB, _LOCK),
        _QUERY: ("index:status-index",),
        "states:DescribeExecution": ("execution",),
        **_ENDS,
    },
    "renderer": {
        **_ITEM,
        **_LIST,
        "s3:GetObject": _TEMPORARY,
        "s3:PutObject": (_RENDER, _FINAL),
        "s3:PutObjectTagging": (_RENDER,),
        "s3:DeleteObject": (_RENDER,),
        "s3:AbortMultipartUpload": (_RENDER, _FINAL),
        **_ANSWER,
        **_logs("renderer"),
    },
    "uploader": {
        _GET: (_JOB, _QUOTA),
        _UPDATE: (_JOB, _QUOTA),
        **_LIST,
        "s3:GetObject": (_FINAL,),
        "ssm:GetParameter": ("parameter:youtube-token",),
        **_ANSWER,
        **_logs("uploader"),
    },
}
