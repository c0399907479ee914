"""The schema of the settings: names, types, ranges, defaults. Reading files is ``mangavid.configfile``'s job.

Every field's description is the line that explains it in ``config.example.yaml`` (a test holds the two together).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections."""


_URL = r"^https?://[^\s/?#@]+(?:/[^\s?#]*)?\Z"


class Quota(Section, frozen=True):
    daily: Annotated[int, Meta(ge=1, le=100, description="Videos a quota day (midnight to midnight Pacific).")] = 3


class Rights(Section, frozen=True):
    basis: Annotated[
        Literal["", "own", "permission", "licence", "public-domain"],
        Meta(description="Why you may publish these chapters; without it nothing leaves this machine or bucket."),
    ] = ""
    licence: Annotated[
        str, Meta(description="Licence of the chapters, such as CC BY 4.0; needed where the basis is licence.")
    ] = ""
    holder: Annotated[str, Meta(description="Who holds the rights; goes into every description.")] = ""
    mangadex: Annotated[
        bool,
        Meta(description="You declare that you hold the rights to show chapters from MangaDex to the public."),
    ] = False


class Source(Section, frozen=True):
    kind: Annotated[
        Literal["library", "mangadex", "peppercarrot"],
        Meta(description="Where `mangavid run` takes chapters from: library (a folder), mangadex or peppercarrot."),
    ] = "library"
    library: Annotated[
        str,
        Meta(description="Folder of chapters (CBZ/ZIP files or folders of images) that `mangavid run` works through."),
    ] = ""
    direction: Annotated[
        Literal["auto", "rtl", "ltr", "ttb"],
        Meta(description="Reading direction; auto: ComicInfo.xml, else ttb for tall strips, else rtl."),
    ] = "auto"
    languages: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Languages of chapters from the network, the first that there is being taken."),
    ] = ("vi", "en")


class Mangadex(Section, frozen=True):
    titles: Annotated[
        tuple[str, ...], Meta(description="Titles to follow: their addresses, ids, or names as MangaDex writes them.")
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        Meta(description="Groups whose chapters are taken first, by name or id, where several made the same one."),
    ] = ()
    ratings: Annotated[
        tuple[Literal["safe", "suggestive", "erotica", "pornographic"], ...],
        Meta(description="Content ratings that are taken."),
    ] = ("safe", "suggestive")
    data_saver: Annotated[bool, Meta(description="Fetch smaller, compressed pages.")] = False
    chapters_a_day: Annotated[
        int, Meta(ge=1, le=1000, description="Chapters fetched a day; MangaDex gives guests ten.")
    ] = 10
    contact: Annotated[
        str, Meta(description="Where MangaDex can reach you: goes into the User-Agent of every request.")
    ] = ""
    api: Annotated[str, Meta(pattern=_URL, description="Address of the API.")] = "https://api.mangadex.org"
    report: Annotated[str, Meta(pattern=_URL, description="Address that deliveries of pages are reported to.")] = (
        "https://api.mangadex.network/report"
    )
    image_hosts: Annotated[
        tuple[str, ...], Meta(description="Hosts that pages may come from; one with a dot before it: all below it.")
    ] = ("uploads.mangadex.org", ".mangadex.network")


class Peppercarrot(Section, frozen=True):
    resolution: Annotated[Literal["low-res", "hi-res"], Meta(description="Size of the pages.")] = "hi-res"
    address: Annotated[
        str, Meta(pattern=_URL, description="Address of the comic's sources, with its list of episodes.")
    ] = "https://www.peppercarrot.com/0_sources"


class Writer(Section, frozen=True):
    kind: Annotated[
        Literal["offline", "openai"],
        Meta(description="Who writes the narration: offline (sidecar, OCR, else neutral lines), or openai (a model)."),
    ] = "offline"
    ocr: Annotated[
        bool, Meta(description="Read bubbles where no sidecar is found; needs the extra: pip install 'mangavid[ocr]'.")
    ] = True
    base_url: Annotated[
        str,
        Meta(pattern=_URL, description="Address of the model's server: OpenAI, or any that speaks its chat protocol."),
    ] = "https://api.openai.com/v1"
    model: Annotated[str, Meta(description="Name of the model; it must see pictures.")] = "gpt-4.1-mini"
    style: Annotated[str, Meta(description="How it should be told, in your words; goes to the model.")] = (
        "lively and clear, like a friend who retells the story"
    )
    words_least: Annotated[int, Meta(ge=3, le=60, description="Fewest words over a panel that has a story.")] = 10
    words_most: Annotated[int, Meta(ge=5, le=120, description="Most words over a panel.")] = 20
    batch: Annotated[int, Meta(ge=1, le=40, description="Panels shown to the model in one request.")] = 12
    detail: Annotated[Literal["low", "high", "auto"], Meta(description="How closely it looks at the panels.")] = "auto"
    refine: Annotated[bool, Meta(description="Go over the whole text once more, for names and flow.")] = True
    price_in: Annotated[
        float, Meta(ge=0, le=1000, description="US dollars for a million tokens read by the model.")
    ] = 0.40
    price_out: Annotated[
        float, Meta(ge=0, le=1000, description="US dollars for a million tokens written by the model.")
    ] = 1.60
    budget_video: Annotated[
        float, Meta(ge=0, le=1000, description="Most US dollars for the text of one video; 0: no limit.")
    ] = 0.50
    budget_day: Annotated[
        float, Meta(ge=0, le=10_000, description="Most US dollars for all texts of a quota day; 0: no limit.")
    ] = 2.00


class Voice(Section, frozen=True):
    engines: Annotated[
        tuple[Literal["espeak", "edge", "speech", "piper"], ...],
        Meta(
            min_length=1,
            description="Voice engines: what one can't speak is spoken anew, as a whole, by the next (docs/voices.md).",
        ),
    ] = ("espeak",)
    name: Annotated[
        Literal["vi", "vi-vn-x-central", "vi-vn-x-south"],
        Meta(description="eSpeak's Vietnamese voice: northern, central or southern."),
    ] = "vi"
    words_per_minute: Annotated[int, Meta(ge=80, le=300, description="eSpeak's speed of speech.")] = 165
    pitch: Annotated[int, Meta(ge=0, le=99, description="eSpeak's pitch, 50 is the voice's own.")] = 45


class Edge(Section, frozen=True):
    voice: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)+\Z", description="Voice, as `edge-tts --list-voices` names it."),
    ] = "vi-VN-HoaiMyNeural"
    rate: Annotated[str, Meta(pattern=r"^[+-]\d{1,3}%\Z", description="Speed: +10% is a tenth faster.")] = "+0%"
    pitch: Annotated[str, Meta(pattern=r"^[+-]\d{1,3}Hz\Z", description="Pitch: +5Hz is higher.")] = "+0Hz"
    endpoint: Annotated[
        str,
        Meta(pattern=r"^\Z|^wss?://[^\s]+\Z", description="Address of the service; empty: Microsoft's."),
    ] = ""


class Speech(Section, frozen=True):
    base_url: Annotated[
        str,
        Meta(pattern=_URL, description="Address of the speech server: OpenAI, or any that speaks its speech protocol."),
    ] = "https://api.openai.com/v1"
    model: Annotated[str, Meta(description="Name of the model.")] = "gpt-4o-mini-tts"
    voice: Annotated[str, Meta(description="Name of the voice.")] = "alloy"
    instructions: Annotated[str, Meta(description="How it should sound, in your words; empty: as it is.")] = ""


class Piper(Section, frozen=True):
    model: Annotated[
        str, Meta(description="The voice's .onnx file, with its .onnx.json beside it; needs mangavid[piper].")
    ] = ""
    speaker: Annotated[int, Meta(ge=0, le=10_000, description="Speaker, of a voice that has several.")] = 0
    speed: Annotated[float, Meta(ge=0.5, le=2.0, description="Speed: 1.2 is a fifth faster.")] = 1.0


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
    kind: Annotated[
        Literal["folder", "youtube"], Meta(description="Where videos go: folder, or youtube (needs rights.basis).")
    ] = "folder"
    folder: Annotated[str, Meta(description="Folder for finished videos; empty: videos/ in local.home.")] = ""


class Youtube(Section, frozen=True):
    privacy: Annotated[Literal["private", "unlisted", "public"], Meta(description="Who may see a video.")] = "private"
    publish_at: Annotated[
        str,
        Meta(
            pattern=r"^\Z|^([01]\d|2[0-3]):[0-5]\d\Z",
            description="Time of day (HH:MM in aws.time_zone) at which a private video becomes public; empty: never.",
        ),
    ] = ""
    made_for_kids: Annotated[bool, Meta(description="Declared as made for children.")] = False
    synthetic_media: Annotated[
        bool, Meta(description="Declared as realistic and altered by machine; drawings with a voice are not.")
    ] = False
    category: Annotated[str, Meta(pattern=r"^\d{1,3}\Z", description="YouTube's number of the category.")] = "1"
    playlist: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]*\Z", description="Id of a playlist that videos are put into; empty: none.")
    ] = ""
    captions: Annotated[bool, Meta(description="Upload the captions; costs 400 of the day's units.")] = True
    inserts_a_day: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Uploads that YouTube lets your project begin in a day.")
    ] = 100
    units_a_day: Annotated[
        int, Meta(ge=100, le=100_000_000, description="Units that YouTube gives your project for a day.")
    ] = 10_000
    api: Annotated[str, Meta(pattern=_URL, description="Address of the API.")] = "https://youtube.googleapis.com"
    login: Annotated[str, Meta(pattern=_URL, description="Address that hands out access tokens.")] = (
        "https://oauth2.googleapis.com/token"
    )


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
    language: Annotated[Literal["vi", "en"], Meta(description="Language of the narration: Vietnamese or English.")] = (
        "vi"
    )
    quota: Quota = Quota()
    rights: Rights = Rights()
    source: Source = Source()
    mangadex: Mangadex = Mangadex()
    peppercarrot: Peppercarrot = Peppercarrot()
    writer: Writer = Writer()
    voice: Voice = Voice()
    edge: Edge = Edge()
    speech: Speech = Speech()
    piper: Piper = Piper()
    video: Video = Video()
    publisher: Publisher = Publisher()
    youtube: Youtube = Youtube()
    local: Local = Local()
    aws: Aws = Aws()
