"""What is called idle changes no pixel, and what is not does."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import numpy as np
import pytest

from faceswap.faceset.store import Faceset
from faceswap.gui.merge_window.commands import choices, span
from faceswap.merge.effect import idle, unusable
from faceswap.merge.keyframes import NUMERIC, FrameSettings
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces
from faceswap.merge.preview import Previewer
from faceswap.merge.settings import MergeSettings, Mode
from faceswap.types import Image
from tests.toy_merge import Paint, make_clip

# The toy clip's faces stand still.
_WITHOUT_MOTION = {"motion_blur_power", "morph"}


class Negative(Paint):
    """Swaps with all the detail of the frame, under masks that follow it."""

    def __call__(self, crops: Sequence[Image], _morphs: Sequence[float] = ()) -> list[Prediction]:
        painted = super().__call__(crops)
        shares = [0.5 + 10 * (float(crop.mean()) - 0.5) for crop in crops]
        return [
            Prediction(1 - 0.7 * crop, *(np.float32(np.clip(share, 0.3, 0.9)) * one.mask_prd for _ in "pd"))
            for crop, one, share in zip(crops, painted, shares, strict=True)
        ]


@pytest.fixture(scope="module")
def previewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Previewer]:
    clip = make_clip(tmp_path_factory.mktemp("clip"))
    yield Previewer(ClipFaces.of(clip, Faceset.open(clip / "aligned")), Negative())


def others(name: str, settings: MergeSettings) -> list[Any]:
    """Values of a setting that it has not."""
    values = [kind(end) for kind, end in zip(2 * (type(getattr(settings, name)),), span(name), strict=True)] \
        if name in NUMERIC else list(choices(name))  # fmt: skip
    return [value for value in values if value != getattr(settings, name) and "xseg" not in str(value)]


def changes(previewer: Previewer, settings: MergeSettings, name: str) -> bool:
    """Whether any value of a setting changes the picture or its mask."""
    before = previewer.show(0, FrameSettings(settings, {}))
    after = [
        previewer.show(0, FrameSettings(settings.model_copy(update={name: value}), {}))
        for value in others(name, settings)
    ]
    return any(
        one.result.tobytes() != before.result.tobytes() or one.mask.tobytes() != before.mask.tobytes()
        for one in after
    )


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize(
    "rest",
    [
        {"mask_mode": "learned-prd*learned-dst"},
        {"mask_mode": "dst", "color_transfer": "none"},
        {"mask_mode": "learned-dst", "sharpen_mode": "box", "blursharpen_amount": 5},
    ],
    ids=["learned", "dst", "sharpened"],
)
def test_idle_settings_change_no_pixel_and_others_do(
    previewer: Previewer, mode: Mode, rest: dict[str, Any]
) -> None:
    settings = MergeSettings(mode=mode, **rest)
    told = idle(settings)
    for name in set(MergeSettings.model_fields) - {"mode"} - _WITHOUT_MOTION:
        assert changes(previewer, settings, name) == (name not in told), name
    assert all(told.values())


def test_only_a_model_that_morphs_can_use_morph() -> None:
    assert set(unusable(morphs=False)) == {"morph"} and not unusable(morphs=True)
