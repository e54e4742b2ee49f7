"""The detector's networks: transformers' ViT or CvT classifier, and a head that judges every patch.

The classifier is transformers' own class, so that the folder it is saved in opens with
`AutoModelForImageClassification.from_pretrained` and gives the same logits. The patch head is ours and
lies in a file beside it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers import CvtConfig, CvtForImageClassification, ViTConfig, ViTForImageClassification

LABELS = {0: "Real", 1: "Fake"}
FAKE = 1
# transformers' ViTImageProcessor with mean = std = 0.5.
PIXEL_MEAN = PIXEL_STD = 0.5


Family = Literal["vit", "cvt", "cnn"]


@dataclass(frozen=True)
class DetectorSpec:
    """Sizes of a detector; the default is ViT-T/16 at 112 px, 5.5 million parameters (detector-facts §4.3).

    family: vit; cvt = CvT of 32/96/192 channels and 1/2/6 blocks (facts §4.3), which reads through
    convolutions; cnn = the control without attention. input_px: side of the crop, a multiple of patch_px.
    The rest is ViT's alone.
    """

    family: Family = "vit"
    input_px: int = 112
    patch_px: int = 16
    hidden: int = 192
    layers: int = 12
    heads: int = 3

    def to_config(self) -> ViTConfig | CvtConfig:
        """transformers' configuration with labels Real 0, Fake 1."""
        labels: dict[str, Any] = {
            "id2label": dict(LABELS),
            "label2id": {name: index for index, name in LABELS.items()},
            "image_size": self.input_px,
            "patch_size": self.patch_px,
        }
        if self.family == "cvt":
            channels, depth, heads = [32, 96, 192], [1, 2, 6], [1, 3, 6]
            return CvtConfig(
                embed_dim=channels, depth=depth, num_heads=heads, drop_path_rate=[0.0] * 3, **labels
            )
        return ViTConfig(
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden,
            layer_norm_eps=1e-6,
            **labels,
        )


class Judged(NamedTuple):
    """logits (B, 2) for Real and Fake; patch_logits (B, G, G): is this patch foreign? Both unscaled."""

    logits: Tensor
    patch_logits: Tensor


class Detector(nn.Module, ABC):
    """A classifier and a patch head on its last features.

    input_px: side of the crops it reads. grid: patches along one side.
    """

    def __init__(self, input_px: int, grid: int, width: int) -> None:
        super().__init__()
        self.input_px, self.grid = input_px, grid
        self.patch_head = nn.Linear(width, 1)
        nn.init.trunc_normal_(self.patch_head.weight, std=0.02)
        nn.init.zeros_(self.patch_head.bias)

    @abstractmethod
    def forward(self, pixels: Tensor) -> Judged:
        """pixels: (B, 3, S, S) float in [-1, 1], as `to_pixels` makes them."""

    @property
    @abstractmethod
    def cam_layer(self) -> nn.Module:
        """The layer whose output (B, 1 + G², C) Grad-CAM reads."""

    def patch_logits(self, patches: Tensor) -> Tensor:
        """(B, G², C) -> (B, G, G)."""
        return cast(Tensor, self.patch_head(patches)).reshape(-1, self.grid, self.grid)


class VitDetector(Detector):
    """transformers' ViT."""

    def __init__(self, config: ViTConfig) -> None:
        grid = int(config.image_size) // int(config.patch_size)
        super().__init__(int(config.image_size), grid, config.hidden_size)
        self.classifier = ViTForImageClassification(config)

    @property
    def config(self) -> ViTConfig:
        return self.classifier.config

    def forward(self, pixels: Tensor) -> Judged:
        return self.judge(self.encode(self.classifier.vit.embeddings(pixels)))

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T, C) through all blocks: all of a picture's, or those that a mask has left."""
        vit = self.classifier.vit
        for layer in vit.layers:
            tokens = layer(tokens)
        return cast(Tensor, vit.layernorm(tokens))

    def judge(self, encoded: Tensor) -> Judged:
        """Both heads on the encoded tokens (B, 1 + G², C) of whole pictures."""
        return Judged(self.classifier.classifier(encoded[:, 0]), self.patch_logits(encoded[:, 1:]))

    @property
    def cam_layer(self) -> nn.Module:
        return cast(nn.Module, self.classifier.vit.layers[-1].layernorm_before)


class CvtDetector(Detector):
    """transformers' CvT: convolutions make the tokens of each of three stages and the attention's inputs."""

    def __init__(self, config: CvtConfig) -> None:
        stride = 1
        for step in config.patch_stride:
            stride *= step
        super().__init__(config.image_size, config.image_size // stride, config.embed_dim[-1])
        self.classifier = CvtForImageClassification(config)

    @property
    def config(self) -> CvtConfig:
        return self.classifier.config

    def forward(self, pixels: Tensor) -> Judged:
        seen = self.classifier.cvt(pixels)
        summary = self.classifier.layernorm(seen.cls_token_value)[:, 0]
        patches = seen.last_hidden_state.flatten(2).transpose(1, 2)
        return Judged(self.classifier.classifier(summary), self.patch_logits(patches))

    @property
    def cam_layer(self) -> nn.Module:
        return cast(nn.Module, self.classifier.cvt.encoder.stages[-1].layers[-1].layernorm_before)


class CnnDetector(Detector):
    """The control: 0.9 million parameters of plain convolutions. It is compared with, and never shipped."""

    CHANNELS = (32, 64, 128, 192)

    def __init__(self, spec: DetectorSpec) -> None:
        super().__init__(spec.input_px, spec.input_px // 16, self.CHANNELS[-1])
        blocks, before = [], 3
        for channels in self.CHANNELS:
            blocks += [_convolution(before, channels, stride=2), _convolution(channels, channels, stride=1)]
            before = channels
        self.features = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(before)
        self.classifier = nn.Linear(before, len(LABELS))

    def forward(self, pixels: Tensor) -> Judged:
        patches = self.norm(self.features(pixels).flatten(2).transpose(1, 2))
        return Judged(self.classifier(patches.mean(dim=1)), self.patch_logits(patches))

    @property
    def cam_layer(self) -> nn.Module:
        raise NotImplementedError("the control is not explained")


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def build(spec: DetectorSpec, seed: int) -> Detector:
    """A detector with random weights that follow from `seed` alone; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CnnDetector(spec) if spec.family == "cnn" else from_config(spec.to_config())


def from_config(config: ViTConfig | CvtConfig) -> VitDetector | CvtDetector:
    """The detector of a transformers configuration, with random weights."""
    return CvtDetector(config) if isinstance(config, CvtConfig) else VitDetector(config)


def to_pixels(crops: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 in [-1, 1]."""
    return crops.permute(0, 3, 1, 2).float().div(255).sub(PIXEL_MEAN).div(PIXEL_STD)
