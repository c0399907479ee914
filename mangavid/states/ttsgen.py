"""GenerateTTS: the narration spoken, with the time of every word."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from mangavid import keys, protocol
from mangavid.models import Scene, Speech, SpokenScene, decode, encode
from mangavid.ports import Target, Voice
from mangavid.products import read_job, read_script
from mangavid.states.runs import Event, Result, now

SAMPLE_RATE = 48_000
_THREADS = 2


def handle(target: Target, event: Event) -> Result:
    """``{"seconds"}``. Each scene is stored as soon as it is spoken, so an interruption repeats none of them."""
    job = read_job(target, event["job_id"])
    script = read_script(target.objects, job)
    voice = target.voice()
    key = keys.speech(job.job_id, keys.digest("speech", job.script_key, voice.key))
    if target.objects.exists(key):
        speech = decode(target.objects.get(key), Speech, name=key)
    else:
        scenes: list[SpokenScene] = []
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="speak") as pool:
            # Few lines are begun ahead, since a process that is told to stop ends with those it has begun.
            begun: deque[Future[SpokenScene]] = deque()
            todo = iter(script.scenes)
            while len(scenes) < len(script.scenes):
                begun.extend(
                    pool.submit(_speak, target, voice, job.job_id, scene)
                    for scene in islice(todo, 2 * _THREADS - len(begun))
                )
                scenes.append(begun.popleft().result())
                target.progress(job.job_id, len(scenes), len(script.scenes), "line")
        speech = Speech(job_id=job.job_id, voice=voice.key, sample_rate=SAMPLE_RATE, scenes=tuple(scenes))
        target.objects.put(key, encode(speech))
    target.jobs.change(protocol.advance(job.job_id, event["execution"], "voiced", now(target), speech_key=key))
    return {"seconds": round(sum(scene.samples for scene in speech.scenes) / SAMPLE_RATE, 3)}


def _speak(target: Target, voice: Voice, job_id: str, scene: Scene) -> SpokenScene:
    if not scene.text.strip():
        return SpokenScene(index=scene.index, key="", sha256="", samples=0, words=())
    inputs = keys.digest("scene", voice.key, scene.index, scene.text)
    marker = keys.spoken_scene(job_id, inputs)
    if target.objects.exists(marker):
        return decode(target.objects.get(marker), SpokenScene, name=marker)
    utterance = voice.speak(scene.text)
    if not utterance.samples:
        return SpokenScene(index=scene.index, key="", sha256="", samples=0, words=())
    wav = keys.scene_audio(job_id, inputs)
    target.objects.put(wav, utterance.wav)
    spoken = SpokenScene(
        index=scene.index,
        key=wav,
        sha256=hashlib.sha256(utterance.wav).hexdigest(),
        samples=utterance.samples,
        words=utterance.words,
    )
    target.objects.put(marker, encode(spoken))
    return spoken
