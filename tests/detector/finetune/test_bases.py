"""What a fine-tuning starts from: every encoder weight loads, or the base is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher, ViTForImageClassification

from faceswap.detector.finetune.bases import open_base
from faceswap.errors import UserError
from tests.detector.toy_tuning import TINY, a_vit, save_base


def test_a_head_for_other_classes_is_replaced_and_every_encoder_weight_kept(tiny: Path, capsys) -> None:
    base = open_base(tiny, 1)
    there, now = load_file(tiny / "model.safetensors"), base.model.state_dict()
    assert now["classifier.weight"].shape == (2, 24)
    assert "knows 5 other classes" in capsys.readouterr().out
    opened = ViTForImageClassification.from_pretrained(tiny)
    for name, value in opened.state_dict().items():
        if not name.startswith("classifier."):
            assert torch.equal(now[name], value), name
    assert sum(value.numel() for value in there.values()) == sum(
        v.numel() for v in opened.state_dict().values()
    )
    assert base.model.config.id2label == {0: "Real", 1: "Fake"}
    assert torch.equal(now["classifier.weight"], open_base(tiny, 1).model.state_dict()["classifier.weight"])


def test_pixels_are_scaled_as_the_bases_processor_says(tmp_path: Path) -> None:
    base = open_base(save_base(tmp_path / "b", a_vit(num_labels=5), mean=0.4), 0)
    picture = np.full((1, 32, 32, 3), 153, np.uint8)
    # (153 / 255 - 0.4) / 0.25
    assert base.pixels(torch.from_numpy(picture)).unique().tolist() == pytest.approx([0.8])


def test_a_head_with_our_labels_is_kept(tmp_path: Path) -> None:
    model = a_vit(id2label={0: "real", 1: "FAKE"}, label2id={"real": 0, "FAKE": 1})
    kept = open_base(save_base(tmp_path / "b", model), 0).model.state_dict()
    assert torch.equal(kept["classifier.weight"], model.state_dict()["classifier.weight"])


def test_a_distilled_deit_loads_whole_and_is_refused_where_it_would_lose_its_encoder(tmp_path: Path) -> None:
    model = DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, num_labels=5))
    folder = save_base(tmp_path / "deit", model)
    opened = open_base(folder, 0).model.state_dict()
    for name, value in model.state_dict().items():
        if "classifier" not in name:
            assert torch.equal(opened[name], value), name
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="holds a DeiT") as told:
        open_base(folder, 0)
    assert "model_type" in told.value.hint


def _without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if ".1." not in name},
        folder / "model.safetensors",
        {"format": "pt"},
    )


def _swapped(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "Fake", "1": "Real"}, "label2id": {"Fake": 0, "Real": 1}}
    (folder / "config.json").write_text(json.dumps(config))


def _unscaled(folder: Path) -> None:
    content = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(content | {"rescale_factor": 1.0}))


def _larger(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 48}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "lacks preprocessor_config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{}"), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"12345678"), "damaged"),
        (shutil.rmtree, "lacks config.json"),
        (_without_a_layer, "do not fit"),
        (_larger, "do not fit|cannot be opened"),
        (_swapped, "labels"),
        (_unscaled, "reads pictures"),
    ],
)
def test_a_base_that_would_start_half_random_is_refused(
    tiny: Path, tmp_path: Path, spoil: Callable[[Path], Any], told: str
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "base"))
    spoil(folder)
    with pytest.raises(UserError, match=told):
        open_base(folder, 0)
