#!/bin/bash
# One grey frame (R'G'B' = 0.1) in constant-luminance BT.2020 (matrix 10 of ITU-T H.273), turned into RGB by
# ffmpeg's zscale. Expected: 0.1, for H.273 defines the matrix by the camera's curve in both directions, and grey
# has Y' = R' = G' = B' in every matrix. Seen with ffmpeg 9 (zimg): the curve is undone as the camera's, but RGB is
# written by the display's (BT.1886, a power of 2.4), so grey 0.1 becomes 0.205; non-constant luminance gives 0.1.
# Ends with 0 while that is so, with 1 as soon as it differs.
set -e
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
python3 -m venv "$W/venv"
"$W/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 imageio-ffmpeg==0.8.1
cd "$W"
venv/bin/python - <<'P'
import subprocess
import sys

import imageio_ffmpeg
import numpy as np

binary = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([binary, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
planes = [np.full((64, 64), value, np.uint16).tobytes() for value in (64 + 876 // 10, 512, 512)]
seen = {}
for matrix in ("bt2020nc", "bt2020c"):
    graph = (
        f"setparams=colorspace={matrix}:range=tv:color_primaries=bt2020:color_trc=bt2020-10,"
        "zscale=matrix=gbr:range=pc,format=gbrp16le"
    )
    command = [binary, "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv444p10le", "-s", "64x64", "-i", "-", "-vf", graph]
    command += ["-f", "rawvideo", "-"]
    out = subprocess.run(command, input=b"".join(planes), capture_output=True, check=True).stdout
    seen[matrix] = np.frombuffer(out, np.uint16).mean() / 65535
    print(f"{matrix}: {seen[matrix]:.4f} of 0.1")
as_written = abs(seen["bt2020nc"] - 0.1) < 0.002 and abs(seen["bt2020c"] - 0.205) < 0.003
sys.exit(0 if as_written else 1)
P
