"""Voices: text to speech with word times, one file per engine, and what they share.

``numerals`` and ``spoken`` turn written Vietnamese into the words that are said, ``reading`` into what a neural voice
is given, ``align`` finds the displayed words again in what an engine reports, ``sound`` turns what it delivers into the
WAV the renderer takes. ``decoded`` and ``checked`` are for what comes from a service, ``retrying`` for asking one
again, ``child`` for an engine in a process of its own.
"""
