"""The look has DFL's settings with DFL's ranges."""

import pytest
from pydantic import ValidationError

from faceswap.merge.settings import MergeSettings

# deepfacelab.md §11.2.
RANGES = {
    "hist_match_threshold": (0, 255),
    "erode": (-400, 400),
    "blur": (0, 400),
    "motion_blur_power": (0, 100),
    "output_face_scale": (-50, 50),
    "super_resolution_power": (0, 100),
    "blursharpen_amount": (-100, 100),
    "image_denoise_power": (0, 500),
    "bicubic_degrade_power": (0, 100),
    "color_degrade_power": (0, 100),
    "morph": (0, 1),
}


@pytest.mark.parametrize(("name", "span"), RANGES.items())
def test_a_setting_takes_dfls_range_and_no_more(name: str, span: tuple[int, int]) -> None:
    for value in span:
        assert getattr(MergeSettings.model_validate({name: value}), name) == value
    for value in (span[0] - 1, span[1] + 1):
        with pytest.raises(ValidationError):
            MergeSettings.model_validate({name: value})


def test_every_setting_says_what_it_does() -> None:
    assert all(field.description for field in MergeSettings.model_fields.values())


def test_every_number_names_its_range() -> None:
    for name, (low, high) in RANGES.items():
        assert f"[{low}…{high}".replace("-", "−") in (
            MergeSettings.model_fields[name].description or ""
        ).replace("-", "−")


def test_a_look_survives_json() -> None:
    look = MergeSettings(
        mode="seamless-hist-match", mask_mode="xseg-prd*xseg-dst", morph=0.4, sharpen_mode="box"
    )
    assert MergeSettings.model_validate_json(look.model_dump_json()) == look
