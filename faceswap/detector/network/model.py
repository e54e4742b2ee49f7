"""What a detector is: its sizes, its labels, how it is made, and what stands beside every answer.

The classifier is transformers' own class, so that the folder it is saved in opens with
`AutoModelForImageClassification.from_pretrained` and gives the same logits. The patch head is ours and
lies in a file beside it.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import CvtConfig, ViTConfig

from faceswap.detector.network.networks import (
    CnnDetector,
    Config,
    CvtDetector,
    Detector,
    Judged,
    Shipped,
    VitDetector,
    take,
)

LIMITATIONS = (
    "This is no evidence against anyone: a score is one small network's guess about pictures, and it errs.",
    "On forgeries and people that it was not trained on it is weaker, on some blind.",
    "A low score does not mean that a swap is undetectable: stronger detectors exist, and will exist.",
    "Its errors by skin tone, age and gender have not been measured.",
    "It judges finished work. No setting, checkpoint or merge is chosen by its scores.",
)


__all__ = [
    "FAKE", "LABELS", "PIXEL_MEAN", "PIXEL_STD", "CnnDetector", "Config", "CvtDetector", "Detector",
    "DetectorSpec", "Family", "Judged", "Shipped", "VitDetector", "build", "from_config", "take", "to_pixels",
]  # fmt: skip

LABELS = {0: "Real", 1: "Fake"}
FAKE = 1
# transformers' ViTImageProcessor with mean = std = 0.5.
PIXEL_MEAN = PIXEL_STD = 0.5


Family = Literal["vit", "cvt", "cnn"]


@dataclass(frozen=True)
class DetectorSpec:
    """Sizes of a detector; the default is ViT-T/16 at 112 px, 5.5 million parameters (detection.md §4.3).

    family: vit; cvt = a small CvT (Wu et al., ICCV 2021), whose tokens and attention read through
    convolutions; cnn = the control without attention. input_px: side of the crop, a multiple of patch_px.
    The rest is ViT's alone.
    """

    family: Family = "vit"
    input_px: int = 112
    patch_px: int = 16
    hidden: int = 192
    layers: int = 12
    heads: int = 3

    def to_config(self) -> Config:
        """transformers' configuration with labels Real 0, Fake 1."""
        labels: dict[str, Any] = {
            "id2label": dict(LABELS),
            "label2id": {name: index for index, name in LABELS.items()},
            "image_size": self.input_px,
            "patch_size": self.patch_px,
        }
        if self.family == "cvt":
            # Keys every fourth place in the first stage, where a quarter of the work would be attention.
            return CvtConfig(
                embed_dim=[32, 64, 192],
                depth=[1, 2, 4],
                num_heads=[1, 2, 3],
                stride_kv=[4, 2, 2],
                drop_path_rate=[0.0] * 3,
                **labels,
            )
        return ViTConfig(
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden,
            layer_norm_eps=1e-6,
            **labels,
        )


def build(spec: DetectorSpec, seed: int) -> Detector:
    """A detector with random weights that follow from `seed` alone; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if spec.family == "cnn":
            return CnnDetector(spec.input_px)
        detector = from_config(spec.to_config())
        _keep_variance(detector.classifier.base_model)
        return detector


def _keep_variance(encoder: nn.Module) -> None:
    """Draw weights of deviation 1/√(fan-in) (LeCun et al., "Efficient backprop", 1998, §4.6).

    transformers' 0.02 suits layers of a thousand inputs. In networks of 32 to 192 channels it makes every
    block next to nothing, and thousands of iterations pass before they count.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)


def from_config(config: Config) -> Shipped:
    """The detector of a transformers configuration, with random weights."""
    return CvtDetector(config) if isinstance(config, CvtConfig) else VitDetector(config)


def to_pixels(crops: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 in [-1, 1]."""
    return crops.permute(0, 3, 1, 2).float().div(255).sub(PIXEL_MEAN).div(PIXEL_STD)
