"""A small chapter, drawn here, and the pipeline run on it as a person would: the command line, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

#: Small and quick to encode; everything else as it is by default.
SMALL = {
    "MANGAVID_VIDEO_WIDTH": "320",
    "MANGAVID_VIDEO_HEIGHT": "240",
    "MANGAVID_VIDEO_FPS": "24",
    "MANGAVID_VIDEO_MUSIC": "none",
}


def draw_chapter(folder: Path, *, pages: int = 2) -> Path:
    """Pages of two panels each, with a narration."""
    folder.mkdir(parents=True)
    for page in range(pages):
        image = Image.new("L", (400, 600), 255)
        draw = ImageDraw.Draw(image)
        for top in (20, 310):
            draw.rectangle((20, top, 379, top + 270), fill=205 - 40 * page, outline=0, width=4)
            draw.ellipse((120 + 30 * page, top + 60, 260 + 30 * page, top + 200), fill=90, outline=0, width=5)
        image.save(folder / f"{page + 1:02}.png")
    lines = {str(page + 1): [f"Khung {panel + 1} của trang {page + 1}." for panel in range(2)] for page in range(pages)}
    (folder / "narration.json").write_text(json.dumps({"title": folder.name, "pages": lines}), encoding="utf-8")
    return folder


@dataclass
class Home:
    """One home folder and its ledger of effects."""

    path: Path
    chapter: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        return self.path.with_name(f"{self.path.name}.ledger")

    def environment(self, fault: str = "") -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MANGAVID_")}
        return {
            **kept,
            **SMALL,
            **self.extra,
            "MANGAVID_FAULT": fault,
            "MANGAVID_FAULT_LOG": str(self.ledger),
            "XDG_CONFIG_HOME": str(self.path.with_name(f"{self.path.name}.config")),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "mangavid", "--home", str(self.path), *arguments]

    def run(self, *arguments: str, fault: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``mangavid run``, to its end."""
        return subprocess.run(
            self.command("run", *arguments),
            env=self.environment(fault),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, fault: str = "") -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("run", *arguments),
            env=self.environment(fault),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def effects(self) -> Counter[str]:
        """Every effect so far, by «name detail»."""
        return Counter(self.ledger.read_text().splitlines()) if self.ledger.exists() else Counter()

    def done(self, name: str) -> Counter[str]:
        """How often each thing had the effect of that name: «scene.spoken» by scene, «segment.encoded» by segment."""
        return Counter({line.partition(" ")[2]: n for line, n in self.effects().items() if line.split(" ")[0] == name})

    def video(self) -> Path:
        (found,) = (self.path / "videos").glob("*/*.mp4")
        return found

    def workers(self) -> list[int]:
        """Processes of this home that live: workers and their encoders, found by the home in their command lines."""
        pids = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                # To the end of the name: «commit-1» is not «commit-17».
                mine = any(str(self.path).encode() + end in words for end in (b"/", b"\0"))
                if mine and int(entry.name) != os.getpid():
                    pids.append(int(entry.name))
        return pids

    def json(self, *arguments: str) -> Any:
        done = subprocess.run(
            self.command(*arguments, "--json"), env=self.environment(), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)


def was_killed(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == -signal.SIGKILL
