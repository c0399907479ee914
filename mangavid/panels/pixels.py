"""Pages as small grey pictures: all that finding panels needs, and little enough to hold a whole strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2  # noqa: TID253  (this package's pixel work is done with it; ``panels`` imports this module inside functions)
import numpy as np  # noqa: TID253

from mangavid.errors import BadImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]


def grey(data: bytes, width: int, height: int, scale: float, name: str) -> Grey:
    """The page (``width`` x ``height``) as 8-bit grey, ``scale`` (at most 1) times its size, at least 1 x 1.

    A JPEG is decoded at a half, quarter or eighth where that is enough. Raises BadImage naming the page.
    """
    flag = cv2.IMREAD_GRAYSCALE
    for share, reduced in (
        (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
        (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
        (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    ):
        if scale * share <= 1 and min(width, height) >= share:
            flag = reduced
            break
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        picture = None
    if picture is None:
        raise BadImage(f"{name} can't be decoded")
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if (picture.shape[1], picture.shape[0]) != size:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)
