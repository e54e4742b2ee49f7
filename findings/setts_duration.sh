#!/bin/bash
# ffmpeg's bitstream filter setts, told to change durations alone, also replaces every PTS by the DTS of its packet (its
# help names "TS" as the default of the option `ts`, for both). Frames that are coded out of order are then shown in
# coding order, without a word; one would expect what is not named to stay. Remedy: setts=pts=PTS:dts=DTS:duration=…
# Exit 1 when this has changed.
W=$(mktemp -d); trap "rm -rf $W" EXIT; cd "$W" || exit 3
python3 -m venv v && v/bin/pip -q install imageio-ffmpeg==0.8.1 || exit 3
FF=$(v/bin/python -c "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())"); $FF -version | head -1
$FF -v error -y -f lavfi -i testsrc2=s=128x96:r=25:d=0.4 -c:v libx264 -bf 2 a.mp4 || exit 3
pts(){ $FF -v error -y -i a.mp4 -c copy $1 -f framecrc - | awk -F, '!/^#/ {printf "%d/%d ", $3, $2}'; }
before=$(pts ""); plain=$(pts "-bsf:v setts=duration=DURATION"); full=$(pts "-bsf:v setts=pts=PTS:dts=DTS:duration=DURATION")
echo "expected (pts/dts of each packet, unchanged): $before"
echo "seen with setts=duration=DURATION:            $plain"
echo "seen with pts=PTS:dts=DTS given too:          $full"
[ "$before" = "$full" ] && [ "$before" != "$plain" ]
