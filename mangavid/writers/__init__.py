"""Writers: who writes the narration, one file per provider, and what they share.

``offline`` needs no network: a sidecar, else the bubbles (``ocr``), else ``neutral`` lines.

``openai`` asks a model: its requests are there and in ``chat`` (the protocol), ``chatfaults`` (what an error means) and
``amounts`` (what it costs); ``telling`` goes through a chapter, ``prompts`` says what is asked, ``answers`` holds the
answers against it, ``safe`` takes out what may not be spoken.
"""
