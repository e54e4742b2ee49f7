"""How players turn and mirror a picture before they show it."""

import struct
from typing import Any

from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame


def placing(frame: VideoFrame) -> tuple[int, bool]:
    """By how many degrees (0, 90, 180, 270) players turn a frame, and whether they mirror it before."""
    rotation = round(frame.rotation) % 360
    # PyAV's stubs call it a dictionary by names, but it is one by types.
    side_data: Any = frame.side_data
    try:
        matrix = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return rotation, False
    a, b, _, c, d = (float(value) for value in struct.unpack_from("=5i", bytes(matrix)))
    # PyAV and ffmpeg take a mirrored picture for one that is turned by 180° more.
    mirrored = a * d - b * c < 0
    return (rotation + 180 * mirrored) % 360, mirrored
