"""Colours of known values through every matrix, by the equations of ITU-T H.273, and tags nobody knows."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.light import linear_table
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.color import Color
from faceswap.media.probe.video import probe, sample_frames

BARS = np.array(
    [[0.75, 0, 0], [0, 0.75, 0], [0, 0, 0.75], [0.75, 0.75, 0], [0.2, 0.5, 0.7], [0.1] * 3, [0.9, 0.8, 0.7],
     [0.6] * 3]
)  # fmt: skip
# Quantised ICtCp cannot hold strong colours beside dark ones.
PASTELS = 0.3 + BARS / 4
KR_KB = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


def bt709_curve(light):
    return np.where(light < 0.018054, 4.5 * light, 1.099297 * light**0.45 - 0.099297)


def pq_curve(light):
    c1, c2, c3, n, m = 107 / 128, 2413 / 128, 2392 / 128, 2610 / 16384, 2523 / 32
    return ((c1 + c2 * light**n) / (1 + c3 * light**n)) ** m


def light_of(transfer, values):
    return np.interp(values, np.linspace(0, 1, 65536), linear_table(transfer))


def as_yuv(matrix, rgb):
    """Luma and two chromas in [-0.5, 0.5] by table 4 of H.273."""
    red, green, blue = rgb.T
    if matrix == 8:
        return np.stack([(red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2], 1)
    if matrix == 14:
        light = light_of("smpte2084", rgb) / 100
        to_lms = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
        to_itp = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096
        return pq_curve(light @ to_lms.T) @ to_itp.T
    kr, kb = KR_KB[{10: 9, 12: 1, 13: 1, 5: 6}.get(matrix, matrix)]
    if matrix in (10, 13):
        luma = bt709_curve(light_of("bt709", rgb) @ np.array([kr, 1 - kr - kb, kb]))
        spans = [(2 * bt709_curve(np.float64(1 - k)), 2 - 2 * bt709_curve(np.float64(k))) for k in (kb, kr)]
        apart = (blue - luma, red - luma)
        chroma = [d / np.where(d <= 0, *span) for d, span in zip(apart, spans, strict=True)]
        return np.stack([luma, *chroma], 1)
    luma = rgb @ np.array([kr, 1 - kr - kb, kb])
    return np.stack([luma, (blue - luma) / 2 / (1 - kb), (red - luma) / 2 / (1 - kr)], 1)


def write(path, values, *, full, tags, bits=10):
    """A frame of bars of these YUV values, losslessly in H.264, with these numbers in its headers."""
    peak, half = 2**bits - 1, 2 ** (bits - 1)
    step = 2 ** (bits - 8)
    chroma = 219 if tags["matrix_coefficients"] == 8 else 224
    gain, offset = ((peak,) * 3, (0, half, half)) if full else (
        (219 * step, chroma * step, chroma * step), (16 * step, half, half))  # fmt: skip
    whole = np.rint(np.clip(values * gain + offset, 0, peak)).astype(np.uint16 if bits > 8 else np.uint8)
    data = b"".join(np.tile(np.repeat(whole[:, plane], 8), (32, 1)).tobytes() for plane in range(3))
    layout = "yuv444p10le" if bits > 8 else "yuv444p"
    noted = ":".join(f"{name}={value}" for name, value in tags.items())
    subprocess.run(
        [ffmpeg_binary(), "-v", "error", "-f", "rawvideo", "-pix_fmt", layout, "-s", "64x32", "-i", "-",
         "-c:v", "libx264", "-qp", "0", "-bsf:v",
         f"h264_metadata={noted}:video_full_range_flag={int(full)}", path],
        input=data, check=True,
    )  # fmt: skip
    return path


def tags(matrix, primaries=1, transfer=1):
    return {
        "matrix_coefficients": matrix,
        "colour_primaries": primaries,
        "transfer_characteristics": transfer,
    }


def bars_of(path, *, tone_map=False):
    clip = probe(path)
    command = extract_command(clip, 0, clip.bit_depth > 8, ffmpeg_binary(), tone_map=tone_map)
    with Decoder(command) as decoder:
        ((_, frame),) = decoder.frames()
        assert decoder.finish() == (True, "")
    assert len(list(sample_frames(clip, deep=True, count=1))) == 1
    return clip.color, frame[16, 4::8] / np.iinfo(frame.dtype).max


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 4, 5, 7, 8, 9, 10, 12, 13, 14])
def test_bars_come_out_of_every_matrix_as_they_went_in(tmp_path, matrix, full):
    primaries, transfer = {9: (9, 1), 10: (9, 14), 14: (9, 16)}.get(matrix, (1, 1))
    rgb = PASTELS if matrix == 14 else BARS
    path = write(tmp_path / "a.mp4", as_yuv(matrix, rgb), full=full, tags=tags(matrix, primaries, transfer))
    _, seen = bars_of(path)
    assert np.abs(seen - rgb).max() * 255 < 1.5


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_ycgco_of_eight_bits_is_read_in_every_container(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", as_yuv(8, BARS), full=True, tags=tags(8, 2, 2), bits=8)
    _, seen = bars_of(path)
    assert np.abs(seen - BARS).max() * 255 < 1.5


@pytest.mark.parametrize(
    ("matrix", "transfer", "primaries", "known"),
    [
        (1, 9, 1, ("log100", "bt709")), (1, 10, 22, ("log316", "ebu3213")),
        (1, 11, 11, ("iec61966-2-4", "smpte431")),
        (1, 17, 10, ("smpte428", "smpte428")), (1, 12, 8, ("bt1361e", "film")), (1, 3, 3, ("bt709", "bt709")),
        (1, 200, 99, ("bt709", "bt709")), (9, 4, 2, ("bt470m", "bt2020")), (12, 9, 2, ("log100", "bt709")),
        (8, 9, 22, ("log100", "ebu3213")),
    ],
)  # fmt: skip
def test_transfers_and_primaries_that_no_converter_knows_change_no_value(
    tmp_path, matrix, transfer, primaries, known
):
    noted = tags(matrix, primaries, transfer)
    color, seen = bars_of(write(tmp_path / "a.mp4", as_yuv(matrix, BARS), full=True, tags=noted))
    assert np.abs(seen - BARS).max() * 255 < 1.5
    assert (color.transfer, color.primaries) == known


@pytest.mark.parametrize(
    ("matrix", "transfer", "name"),
    [(11, 1, "2085"), (15, 16, "IPT"), (16, 1, "YCgCo-Re"), (17, 1, "YCgCo-Ro"),
     (10, 16, "constant luminance"), (13, 9, "constant luminance"), (14, 18, "ICtCp in HLG")],
)  # fmt: skip
def test_a_matrix_that_cannot_be_undone_is_refused_by_its_name(tmp_path, matrix, transfer, name):
    path = write(tmp_path / "a.mp4", as_yuv(1, BARS), full=False, tags=tags(matrix, 9, transfer))
    with pytest.raises(UserError, match=name) as caught:
        probe(path)
    assert "convert" in caught.value.hint


@pytest.mark.parametrize("matrix", [2, 3, 18, 99])
def test_reserved_and_unspecified_matrices_are_the_usual_one(tmp_path, matrix):
    color, seen = bars_of(write(tmp_path / "a.mp4", as_yuv(6, BARS), full=False, tags=tags(matrix)))
    assert color.matrix == "smpte170m" and np.abs(seen - BARS).max() * 255 < 1.5


def test_names_that_earlier_versions_stored_are_understood():
    assert Color(transfer="gamma22").transfer == "bt470m" and Color(transfer="gamma28").code_points == (1, 5)


@pytest.mark.parametrize(("transfer", "matrix"), [(16, 9), (16, 14), (18, 9)])
def test_tone_mapping_keeps_dim_greys_as_they_are_seen_and_bends_highlights(tmp_path, transfer, matrix):
    if transfer == 16:
        # 20, 40, 203 and 1000 cd/m².
        values = pq_curve(np.array([20, 40, 203, 1000] * 2) / 10_000)
    else:
        values = np.array([0.2, 0.3, 0.75, 1.0] * 2)
    yuv = np.stack([values, 0 * values, 0 * values], 1)
    path = write(tmp_path / "a.mp4", yuv, full=False, tags=tags(matrix, 9, transfer))
    _, seen = bars_of(path, tone_map=True)
    assert np.abs(seen - seen[:, :1]).max() * 255 < 2, "grey stays grey"
    grey = seen[:4, 0]
    assert (np.diff(grey) > 0.02).all() and 0.95 < grey[3] <= 1
    if transfer == 16:
        # BT.1886: a display shows signal ** 2.4.
        assert grey[:2] == pytest.approx((np.array([20, 40]) / 203) ** (1 / 2.4), abs=0.01)


@pytest.mark.parametrize("name", ["sdr.mp4", "sdr.mkv", "sdr.mov"])
def test_tone_mapping_leaves_sdr_alone(tmp_path: Path, name):
    path = write(tmp_path / name, as_yuv(1, BARS), full=False, tags=tags(1))
    assert (bars_of(path, tone_map=True)[1] == bars_of(path)[1]).all()
