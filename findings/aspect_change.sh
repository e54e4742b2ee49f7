#!/bin/bash
# An MPEG transport stream whose pixels change from 16:15 to 64:45 in the middle while its size stays, as broadcasts
# do between a programme and its advertisements. Expected: ffmpeg's filters are told the shape of each frame (sar in
# scale, sample_aspect_ratio of frames), as its decoder reads it from the second sequence parameter set. Seen with
# ffmpeg 9: all frames carry the first shape, so that everything after the change is stretched wrongly by
# scale=iw*sar:ih, while libavcodec (by PyAV) tells both. Ends with 0 while that is so, with 1 as soon as it differs.
set -e
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
python3 -m venv "$W/venv"
"$W/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.8.1
cd "$W"
venv/bin/python - <<'P'
import re
import subprocess
import sys
from pathlib import Path

import av
import imageio_ffmpeg

binary = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([binary, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "PyAV", av.__version__)
parts = []
for shape in ("16/15", "64/45"):
    source = ["-f", "lavfi", "-i", "testsrc2=size=144x116:rate=25:duration=0.4", "-vf", f"setsar={shape}"]
    subprocess.run([binary, "-v", "error", "-y", *source, "-c:v", "libx264", "part.ts"], check=True)
    parts.append(Path("part.ts").read_bytes())
Path("joined.ts").write_bytes(b"".join(parts))
said = subprocess.run([binary, "-i", "joined.ts", "-vf", "showinfo", "-f", "null", "-"], capture_output=True, text=True)
by_filters = set(re.findall(r"sar:(\d+/\d+) s:", said.stderr))
with av.open("joined.ts") as container:
    stream = container.streams.video[0]
    by_decoder = {str(stream.codec_context.sample_aspect_ratio) for _ in container.decode(stream)}
print("filters are told:", sorted(by_filters), "the decoder tells:", sorted(by_decoder))
sys.exit(0 if by_filters == {"16/15"} and by_decoder == {"16/15", "64/45"} else 1)
P
