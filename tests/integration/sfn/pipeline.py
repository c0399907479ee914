"""Scenarios on the pipeline's own state machine: heartbeats shortened, for moto keeps real time."""

from __future__ import annotations

from typing import Any

from mangavid import asl
from tests.integration.sfn.behaviour import Act, Answers, Dies, Fails, Gives, Raises, Scenario

QUOTA = {"quota_reached": False, "daily_count": 0, "daily_quota": 3, "next": "continue"}
DONE = {**QUOTA, "daily_count": 1, "next": "done"}
ABORT = {**QUOTA, "next": "abort"}
WORKED = Answers({"job_id": "dem-trang-1", "status": "completed"}, beats=1)

ACTS: dict[str, tuple[Act, ...]] = {
    "check-quota": (Gives(QUOTA),),
    "fetcher": (Gives({"status": "success", "job_id": "dem-trang-1"}),),
    "scriptgen": (Gives({"scenes": 12}),),
    "ttsgen": (Gives({"seconds": 80.5}),),
    "start-renderer": (Gives({"done": False, "epoch": 1}),),
    "renderer-callback": (WORKED,),
    "start-uploader": (Gives({"done": False, "epoch": 2}),),
    "uploader-callback": (WORKED,),
    "cleanup": (Gives({"deleted": 30}),),
    "increment-counter": (Gives(DONE),),
    "handle-error": (Gives(DONE),),
}

#: Function → an error that is permanent there.
PERMANENT = {
    "check-quota": "ConfigError",
    "fetcher": "BadArchive",
    "scriptgen": "ScriptRefused",
    "ttsgen": "AuthError",
    "start-renderer": "StorageFull",
    "renderer-callback": "NoProgress",
    "start-uploader": "RightsMissing",
    "uploader-callback": "PublishError",
    "cleanup": "ConfigError",
    "increment-counter": "ConfigError",
}
LOST_CAUSE = "a failure's cause is lost"
SAME_TOKEN = "a retry gets the same token"


def _definition() -> dict[str, Any]:
    definition = asl.load_definition("us-east-1", "123456789012")
    for name in ("WaitForRender", "WaitForUpload"):
        definition["States"][name]["HeartbeatSeconds"] = 5
    return definition


def night(name: str, *defects: str, **acts: Act | tuple[Act, ...]) -> Scenario:
    """The pipeline where all goes well but for what is given."""
    changed = {key.replace("_", "-"): act if isinstance(act, tuple) else (act,) for key, act in acts.items()}
    named = {f"manga-pipeline-{function}": act for function, act in {**ACTS, **changed}.items()}
    return Scenario(f"night-{name}", _definition(), {}, named, defects)


def every() -> list[Scenario]:
    again = (Gives({**QUOTA, "daily_count": 1}), Gives({**QUOTA, "daily_count": 2}), Gives({**QUOTA, "daily_count": 3}))
    breaking = [
        night(f"{function}-breaks", **{function.replace("-", "_"): Raises(error)})
        for function, error in PERMANENT.items()
    ]
    return [
        night("one-video"),
        night("until-the-quota-is-full", increment_counter=again),
        night("no-quota", check_quota=Gives({**QUOTA, "quota_reached": True})),
        night("no-chapter", fetcher=Gives({"status": "no_manga_available", "job_id": ""})),
        night("nothing-but-failures", fetcher=Gives({"status": "nothing_but_failures", "job_id": ""})),
        night("a-rendered-video-waits", fetcher=Gives({"status": "awaiting_upload", "job_id": "x"})),
        night("rendered-already", start_renderer=Gives({"done": True, "epoch": 1})),
        night("published-already", start_uploader=Gives({"done": True, "epoch": 1})),
        night("the-source-is-down-once", fetcher=(Raises("SourceUnavailable"), *ACTS["fetcher"])),
        night("the-source-stays-down", fetcher=Raises("SourceUnavailable")),
        night(
            "the-counter-is-out",
            increment_counter=(Raises("UpstreamUnavailable"),),
            fetcher=(*ACTS["fetcher"], Gives({"status": "none", "job_id": ""})),
        ),
        night("the-handler-is-out", scriptgen=Raises("ScriptRefused"), handle_error=Raises("UpstreamUnavailable")),
        night("aborted", scriptgen=Raises("ScriptRefused"), handle_error=Gives(ABORT)),
        night("the-render-fails", LOST_CAUSE, renderer_callback=Fails("RenderError")),
        night("the-days-quota-ends", LOST_CAUSE, uploader_callback=Fails("YouTubeQuotaError")),
        night("a-renderer-dies", SAME_TOKEN, renderer_callback=(Dies(), WORKED)),
        night("every-renderer-dies", SAME_TOKEN, renderer_callback=Dies()),
        *breaking,
    ]
