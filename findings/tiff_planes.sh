#!/bin/bash
# Valid TIFF files of 16 bits whose colours lie in planes, in tiles, or with white as zero, read by five libraries.
# Expected: the colours, or an error. Seen: OpenCV 5 and Pillow 13 return the planes as if they were interleaved,
# PyAV 18 (ffmpeg 9) returns tiles as something else, and OpenCV, Pillow and OpenImageIO 3.2, which turn
# white-is-zero round in 8 bits, do not in 16; no error is reported. tifffile's pixels are right each time (it
# leaves white-is-zero to the caller, always).
# Ends with 0 while that is so, with 1 as soon as one of them differs.
set -e
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
python3 -m venv "$W/venv"
"$W/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 tifffile==2026.3.3 pillow==13.0.0 \
  opencv-python-headless==5.0.0.93 av==18.1.0 openimageio==3.2.2.0
cd "$W"
venv/bin/python - <<'P'
import sys
from importlib.metadata import version

import av
import cv2
import numpy as np
import OpenImageIO as oiio
import tifffile
from PIL import Image

y, x = np.mgrid[0:48, 0:80]
colours = np.dstack([x * 800, y * 1300, (x + y) * 500]).astype(np.uint16)
grey = colours[..., 0]


def by_av(path):
    with av.open(path, format="tiff_pipe") as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="gray16le" if "gray" in frame.format.name else "rgb48le")


def by_oiio(path):
    return oiio.ImageInput.open(path).read_image(oiio.UNKNOWN)


def by_tifffile(path):
    pixels = tifffile.imread(path)
    pixels = np.moveaxis(pixels, 0, 2) if pixels.shape[0] == 3 else pixels
    return 65535 - pixels if "white" in path else pixels


READERS = {
    "opencv-python-headless": lambda path: cv2.imread(path, cv2.IMREAD_UNCHANGED),
    "pillow": lambda path: np.asarray(Image.open(path)),
    "av": by_av, "openimageio": by_oiio, "tifffile": by_tifffile,
}
planes = np.ascontiguousarray(np.moveaxis(colours, 2, 0))
tifffile.imwrite("planes.tif", planes, photometric="rgb", planarconfig="separate")
tifffile.imwrite("tiles.tif", colours, photometric="rgb", tile=(16, 16))
tifffile.imwrite("white_is_zero.tif", grey, photometric="miniswhite")
want = {"planes.tif": colours, "tiles.tif": colours, "white_is_zero.tif": (65535 - grey)[..., None]}
seen = {}
for name, reader in READERS.items():
    for path, truth in want.items():
        try:
            pixels = reader(path)
        except Exception as error:
            seen[name, path] = f"error {type(error).__name__}"
            continue
        if name.startswith("opencv") and pixels.ndim == 3:
            pixels = pixels[..., ::-1]
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        most = 65535 if pixels.dtype == np.uint16 else 255
        off = np.abs(pixels / most - truth / 65535).max() if pixels.shape == truth.shape else 1
        seen[name, path] = "right" if off < 0.005 else "wrong, and no error"
for (name, path), found in seen.items():
    print(f"{name} {version(name)}: {path} {found}")
wrong = {key for key, found in seen.items() if found.startswith("wrong")}
known = {
    ("opencv-python-headless", "planes.tif"), ("pillow", "planes.tif"), ("av", "tiles.tif"),
    ("openimageio", "white_is_zero.tif"), ("opencv-python-headless", "white_is_zero.tif"),
    ("pillow", "white_is_zero.tif"),
}
sys.exit(wrong != known)
P
