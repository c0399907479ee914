#!/usr/bin/env python3
"""User data: fetches the worker's package on a fresh machine, checks it, runs it, powers off whatever happens.

It needs Ubuntu's Python and nothing else, and holds no secret: the credentials are those of the machine's role.
"""

import contextlib
import hashlib
import hmac
import json
import os
import pwd
import signal
import subprocess
import sys
import time
import traceback
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

HEAD = "{}"
TRIES, SILENCE = 5, 20
Head = dict[str, Any]


def log(text: str) -> None:
    print(f"{time.strftime('%FT%TZ', time.gmtime())} {text}", flush=True)


def opened(url: str, headers: dict[str, str], method: str = "GET") -> Any:
    request = urllib.request.Request(url, headers=headers, method=method)
    # No proxy: the role's credentials pass here.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SILENCE)


def credentials(base: str) -> tuple[str, str, str]:
    def ask(path: str, headers: dict[str, str], method: str = "GET") -> str:
        with opened(f"{base}/latest/{path}", headers, method) as answer:
            return str(answer.read(1 << 16), "utf-8")

    token = ask("api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}, "PUT")
    headers = {"X-aws-ec2-metadata-token": token}
    roles = "meta-data/iam/security-credentials/"
    found = json.loads(ask(roles + ask(roles, headers).split()[0], headers))
    if found["Code"] != "Success":
        raise OSError(f"no credentials: {found['Code']}")
    return found["AccessKeyId"], found["SecretAccessKey"], found["Token"]


def signed(url: str, region: str, key: str, secret: str, token: str) -> dict[str, str]:
    """Headers of a GET by AWS Signature Version 4."""
    parts = urllib.parse.urlsplit(url)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-amz-date": now,
        "x-amz-security-token": token,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"GET\n{parts.path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    mac = ("AWS4" + secret).encode()
    for part in (*scope.split("/"), text):
        mac = hmac.digest(mac, part.encode(), "sha256")
    proof = f"Credential={key}/{scope}, SignedHeaders={names}, Signature={mac.hex()}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {proof}"}


def fetch(head: Head, file: Path) -> None:
    base = head.get("s3") or f"https://{head['bucket']}.s3.{head['region']}.amazonaws.com"
    url = f"{base}/{urllib.parse.quote(head['key'])}"
    imds = head.get("imds") or "http://169.254.169.254"
    end = time.monotonic() + head.get("fetch_seconds", 600)
    seen = hashlib.sha256()
    with opened(url, signed(url, head["region"], *credentials(imds))) as answer, file.open("wb") as out:
        while block := answer.read1(1 << 20):
            if time.monotonic() > end:
                raise OSError("the download takes too long")
            seen.update(block)
            out.write(block)
    if seen.hexdigest() != head["sha256"]:
        raise OSError(f"refused: {head['key']} has the SHA-256 {seen.hexdigest()}")


def unpack(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            Path(archive.extract(info, folder)).chmod(info.external_attr >> 16 & 0o755)


def work(head: Head, folder: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            fetch(head, folder / "package.zip")
            break
        except Exception as problem:
            log(f"{type(problem).__name__}: {problem}; tries left: {left}")
            if not left:
                raise
            time.sleep(head.get("pause", 2) * (TRIES - left))
    code, room = folder / "code", folder / "room"
    unpack(folder / "package.zip", code)
    room.mkdir()
    rights: Head = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(room, nobody.pw_uid, nobody.pw_gid)
        rights = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    worker = f"ec2.{head['worker']}.main"
    names = {"HOME": str(room), "TMPDIR": str(room), "AWS_DEFAULT_REGION": head["region"], "PATH": os.defpath}
    names |= {"LANG": "C.UTF-8", "PYTHONPYCACHEPREFIX": f"{room}/bytecode", **head["environment"]}
    log(f"{worker} starts")
    child = subprocess.Popen([sys.executable, "-m", worker], cwd=code, env=names, start_new_session=True, **rights)
    try:
        log(f"{worker} ended with {child.wait(head.get('seconds', 15600))}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def main() -> None:
    try:
        subprocess.run(["shutdown", "-P", "+270"], check=False)
        head = json.loads(HEAD)
        output = os.open(head.get("log", "/var/log/user-data.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(output, 1)
        os.dup2(output, 2)
        folder = Path(head.get("folder", "/opt/mangavid"))
        folder.mkdir(parents=True)
        work(head, folder)
    except BaseException:
        log(traceback.format_exc())
    finally:
        subprocess.run(["shutdown", "-P", "now"], check=False)


if __name__ == "__main__":
    main()
