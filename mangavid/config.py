"""The schema of the settings: names, types, ranges, defaults. Reading files is ``mangavid.configfile``'s job.

Every field's description is the line that explains it in ``config.example.yaml`` (a test holds the two together).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections."""


class Quota(Section, frozen=True):
    daily: Annotated[int, Meta(ge=1, le=100, description="Videos a quota day (midnight to midnight Pacific).")] = 3


class Source(Section, frozen=True):
    library: Annotated[
        str,
        Meta(description="Folder of chapters (CBZ/ZIP files or folders of images) that `mangavid run` works through."),
    ] = ""
    direction: Annotated[
        Literal["auto", "rtl", "ltr", "ttb"],
        Meta(description="Reading direction; auto: ComicInfo.xml, else ttb for tall strips, else rtl."),
    ] = "auto"


class Writer(Section, frozen=True):
    kind: Annotated[
        Literal["offline"],
        Meta(description="Who writes the narration: offline (sidecar, OCR, else short neutral lines)."),
    ] = "offline"
    ocr: Annotated[
        bool, Meta(description="Read bubbles where no sidecar is found; needs the extra: pip install 'mangavid[ocr]'.")
    ] = True


class Voice(Section, frozen=True):
    kind: Annotated[Literal["espeak"], Meta(description="Voice engine: espeak (offline, bundled).")] = "espeak"
    name: Annotated[
        Literal["vi", "vi-vn-x-central", "vi-vn-x-south"], Meta(description="Voice: northern, central or southern.")
    ] = "vi"
    words_per_minute: Annotated[int, Meta(ge=80, le=300, description="Speed of speech.")] = 165
    pitch: Annotated[int, Meta(ge=0, le=99, description="Pitch, 50 is the voice's own.")] = 45


class Video(Section, frozen=True):
    width: Annotated[int, Meta(ge=320, le=3840, multiple_of=2, description="Picture width in pixels.")] = 1920
    height: Annotated[int, Meta(ge=240, le=2160, multiple_of=2, description="Picture height in pixels.")] = 1080
    fps: Annotated[Literal[24, 25, 30, 48, 50, 60], Meta(description="Frames a second.")] = 30
    crf: Annotated[int, Meta(ge=10, le=35, description="x264 quality: lower is better and larger.")] = 20
    captions: Annotated[bool, Meta(description="Burn the narration in as captions (an SRT file is always made).")] = (
        True
    )
    crossfade: Annotated[float, Meta(ge=0.0, le=1.0, description="Seconds of crossfade between panels; 0 cuts.")] = 0.3
    pause: Annotated[float, Meta(ge=0.0, le=3.0, description="Seconds of quiet after each panel's narration.")] = 0.35
    min_panel: Annotated[float, Meta(ge=1.0, le=20.0, description="Shortest time a panel is shown, in seconds.")] = 2.0
    loudness: Annotated[
        float, Meta(ge=-30.0, le=-8.0, description="Integrated loudness of the finished file, in LUFS.")
    ] = -14.0
    music: Annotated[
        str, Meta(description="Music under the voice: auto (a soft bed made here), none, or the path of an audio file.")
    ] = "auto"
    music_level: Annotated[float, Meta(ge=-40.0, le=-6.0, description="Music level below the voice, in dB.")] = -20.0


class Publisher(Section, frozen=True):
    kind: Annotated[Literal["folder"], Meta(description="Where videos go: folder.")] = "folder"
    folder: Annotated[str, Meta(description="Folder for finished videos; empty: videos/ in local.home.")] = ""


class Local(Section, frozen=True):
    home: Annotated[
        str, Meta(description="Folder for jobs, history and work files; empty: the user's data folder.")
    ] = ""
    encoders: Annotated[int, Meta(ge=0, le=64, description="Segments encoded at once; 0: one a processor.")] = 0


_PREFIX = r"^[a-z](?:[a-z0-9-]{0,22}[a-z0-9])\Z"
_TYPES = r"^[a-z][a-z0-9-]*\.[a-z0-9]+(?:[ ,]+[a-z][a-z0-9-]*\.[a-z0-9]+)*\Z"


class Aws(Section, frozen=True):
    region: Annotated[
        str, Meta(pattern=r"^\Z|^[a-z]{2}(?:-[a-z]+)+-\d\Z", description="AWS region; empty: the profile's own.")
    ] = ""
    profile: Annotated[str, Meta(description="AWS profile to deploy with; empty: the default credentials.")] = ""
    prefix: Annotated[
        str, Meta(pattern=_PREFIX, description="First part of all names on AWS; a channel of its own has another one.")
    ] = "manga-pipeline"
    schedule: Annotated[
        str,
        Meta(
            pattern=r"^\Z|^cron\([^()]+\)\Z|^rate\([^()]+\)\Z",
            description="When a run starts by itself, as EventBridge Scheduler writes it; empty: never.",
        ),
    ] = "cron(0 9 * * ? *)"
    time_zone: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9+_/-]+\Z", description="Time zone of the schedule: the channel's own.")
    ] = "Asia/Ho_Chi_Minh"
    renderer_types: Annotated[
        str, Meta(pattern=_TYPES, description="Instance types that may render, all of one architecture: arm64.")
    ] = "c8g.2xlarge c7g.2xlarge c7gn.2xlarge c6g.2xlarge m8g.2xlarge m7g.2xlarge"
    uploader_types: Annotated[
        str, Meta(pattern=_TYPES, description="Instance types that may publish, all of one architecture: arm64.")
    ] = "t4g.small t4g.medium c7g.medium c6g.medium m7g.medium m6g.medium"
    on_demand_fallback: Annotated[
        bool, Meta(description="Pay the full price for a machine where no Spot machine can be had.")
    ] = False
    vpc: Annotated[
        str,
        Meta(
            pattern=r"^\Z|^vpc-(?:[0-9a-f]{8}|[0-9a-f]{17})\Z",
            description="VPC of the machines; empty: the account's default VPC.",
        ),
    ] = ""
    subnets: Annotated[
        str,
        Meta(
            pattern=r"^\Z|^subnet-[0-9a-f]{8,17}(?:[ ,]+subnet-[0-9a-f]{8,17})*\Z",
            description="Subnets of the machines, with a way out to the internet; empty: those of the default VPC.",
        ),
    ] = ""
    image: Annotated[
        str,
        Meta(
            pattern=r"^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})\Z|^/[A-Za-z0-9_./-]+\Z",
            description="Machine image: an AMI, or an SSM parameter that names one: Ubuntu 24.04 for arm64, or alike.",
        ),
    ] = "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
    alarm_email: Annotated[
        str, Meta(pattern=r"^\Z|^[^@\s]+@[^@\s]+\Z", description="Where alarms are sent; empty: they only show.")
    ] = ""
    monthly_budget: Annotated[
        int,
        Meta(ge=0, le=100_000, description="US dollars a month for the account, told to alarm_email; 0: no budget."),
    ] = 0
    log_days: Annotated[Literal[7, 14, 30, 60, 90, 180, 365], Meta(description="Days that logs are kept.")] = 30
    video_days: Annotated[
        int, Meta(ge=30, le=3650, description="Days that finished videos are kept in the bucket.")
    ] = 365
    reserved_concurrency: Annotated[
        bool,
        Meta(description="Never run a function twice at once; needs a Lambda quota well above a new account's 10."),
    ] = False


class Config(Section, frozen=True):
    target: Annotated[
        Literal["local", "aws"],
        Meta(description="Where the pipeline runs: local (this machine), or aws (what mangavid deploy put there)."),
    ] = "local"
    language: Annotated[Literal["vi"], Meta(description="Language of the narration.")] = "vi"
    quota: Quota = Quota()
    source: Source = Source()
    writer: Writer = Writer()
    voice: Voice = Voice()
    video: Video = Video()
    publisher: Publisher = Publisher()
    local: Local = Local()
    aws: Aws = Aws()
