"""From a narrated chapter to the files of a video.

``timeline.plan`` decides everything in whole frames and samples; ``pool`` has encoder processes draw (``frames``) and
encode (``encoder``) its segments; ``sound`` makes the soundtrack, ``mux`` joins, ``check`` verifies, and ``thumbnail``,
``captions`` and ``metadata`` make the files beside the video.
"""
