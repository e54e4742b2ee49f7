"""The detector's networks: transformers' own classifiers, and a head that judges every patch."""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from transformers import CvtConfig, CvtForImageClassification, ViTConfig, ViTForImageClassification

Config: TypeAlias = ViTConfig | CvtConfig


class Judged(NamedTuple):
    """logits (B, 2) for Real and Fake; patch_logits (B, G, G): is this patch foreign? Both unscaled."""

    logits: Tensor
    patch_logits: Tensor


class Detector(nn.Module, ABC):
    """A classifier and a patch head on its last features.

    input_px: side of the crops it reads. grid: patches along one side. width: channels of their features.
    """

    def __init__(self, input_px: int, grid: int, width: int) -> None:
        super().__init__()
        self.input_px, self.grid, self.width = input_px, grid, width
        self.patch_head = nn.Linear(width, 1)
        nn.init.trunc_normal_(self.patch_head.weight, std=0.02)
        nn.init.zeros_(self.patch_head.bias)

    @property
    def patch_px(self) -> int:
        """Side of a patch."""
        return self.input_px // self.grid

    @abstractmethod
    def forward(self, pixels: Tensor) -> Judged:
        """pixels: (B, 3, S, S) float in [-1, 1], as `to_pixels` makes them."""

    def patch_logits(self, patches: Tensor) -> Tensor:
        """(B, G², C) -> (B, G, G)."""
        return cast(Tensor, self.patch_head(patches)).reshape(-1, self.grid, self.grid)


class Shipped(Detector):
    """A detector that transformers opens: `classifier` is its own class, and patches are its tokens."""

    classifier: Any

    @property
    def config(self) -> Config:
        """transformers' description of the classifier."""
        return cast(Config, self.classifier.config)

    @property
    @abstractmethod
    def cam_layer(self) -> nn.Module:
        """The layer whose output (B, 1 + G², C) Grad-CAM reads."""

    @abstractmethod
    def encode_kept(self, pixels: Tensor, kept: Tensor) -> Tensor:
        """(B, 1 + K, C): class token and the patches in `kept` (B, K), encoded without the others."""

    @abstractmethod
    def attentions(self, pixels: Tensor) -> list[Tensor]:
        """(B, 1 + G², 1 + G²) of every block that has all patches as tokens: where each token looks.

        The mean over heads; rows add up to 1. Without gradients.
        """

    def shown(self, kept: Tensor) -> Tensor:
        """(B, 1, S, S): 1 where the patches in `kept` (B, K) lie, 0 elsewhere."""
        seen = torch.zeros(len(kept), self.grid**2, device=kept.device).scatter_(1, kept, 1.0)
        plane = seen.reshape(-1, 1, self.grid, self.grid)
        return plane.repeat_interleave(self.patch_px, 2).repeat_interleave(self.patch_px, 3)

    def judge(self, encoded: Tensor) -> Judged:
        """Both heads on the encoded tokens (B, 1 + G², C) of whole pictures."""
        return Judged(self.classifier.classifier(encoded[:, 0]), self.patch_logits(encoded[:, 1:]))


class VitDetector(Shipped):
    """transformers' ViT."""

    def __init__(self, config: ViTConfig) -> None:
        grid = int(config.image_size) // int(config.patch_size)
        super().__init__(int(config.image_size), grid, config.hidden_size)
        self.classifier = ViTForImageClassification(config)

    def forward(self, pixels: Tensor) -> Judged:
        return self.judge(self.encode(self.classifier.vit.embeddings(pixels)))

    @torch.inference_mode()
    def attentions(self, pixels: Tensor) -> list[Tensor]:
        before = self.classifier.config._attn_implementation
        # The fused attention never forms the matrix that is asked for here.
        self.classifier.set_attn_implementation("eager")
        try:
            found = self.classifier(pixels, output_attentions=True).attentions
        finally:
            self.classifier.set_attn_implementation(before)
        return [heads.mean(dim=1) for heads in found]

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T, C) through all blocks: all of a picture's, or those that a mask has left."""
        vit = self.classifier.vit
        for layer in vit.layers:
            tokens = layer(tokens)
        return cast(Tensor, vit.layernorm(tokens))

    def encode_kept(self, pixels: Tensor, kept: Tensor) -> Tensor:
        tokens = self.classifier.vit.embeddings(pixels)
        return self.encode(torch.cat((tokens[:, :1], take(tokens[:, 1:], kept)), dim=1))

    @property
    def cam_layer(self) -> nn.Module:
        return cast(nn.Module, self.classifier.vit.layers[-1].layernorm_before)


class _FullPrecisionConv2d(nn.Conv2d):
    """A convolution that leaves autocast: oneDNN has no fast bf16 gradient of strided depthwise ones.

    They were half of a CvT's training step, at twenty times their float32 time.
    """

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class CvtDetector(Shipped):
    """transformers' CvT: convolutions make the tokens of each of three stages and the attention's inputs."""

    def __init__(self, config: CvtConfig) -> None:
        stride = 1
        for step in config.patch_stride:
            stride *= step
        super().__init__(config.image_size, config.image_size // stride, config.embed_dim[-1])
        self.classifier = CvtForImageClassification(config)
        for module in self.classifier.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1 and module.stride[0] > 1:
                module.__class__ = _FullPrecisionConv2d

    def forward(self, pixels: Tensor) -> Judged:
        return self.judge(torch.cat(self._encode(pixels), dim=1))

    def encode_kept(self, pixels: Tensor, kept: Tensor) -> Tensor:
        # Convolutions need whole pictures: the other patches are grey to them. What batch norms have learned
        # of whole pictures must not be mixed with that.
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0
        try:
            summary, patches = self._encode(pixels * self.shown(kept))
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
        return torch.cat((summary, take(patches, kept)), dim=1)

    @torch.inference_mode()
    def attentions(self, pixels: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        # Their input is the matrix after its softmax.
        dropouts = [
            layer.attention.attention.dropout for layer in self.classifier.cvt.encoder.stages[-1].layers
        ]
        hooks = [
            dropout.register_forward_hook(lambda _module, given, _made: found.append(given[0].mean(dim=1)))
            for dropout in dropouts
        ]
        try:
            self._encode(pixels)
        finally:
            for hook in hooks:
                hook.remove()
        return [self._over_patches(heads) for heads in found]

    def _over_patches(self, attention: Tensor) -> Tensor:
        """(B, 1 + G², 1 + K²) -> (B, 1 + G², 1 + G²): what a key stands for shares its attention."""
        keys = math.isqrt(attention.shape[2] - 1)
        step = self.grid // keys
        planes = attention[:, :, 1:].reshape(*attention.shape[:2], keys, keys)
        spread = planes.repeat_interleave(step, 2).repeat_interleave(step, 3).flatten(2) / step**2
        return torch.cat((attention[:, :, :1], spread), dim=2)

    def _encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The class token (B, 1, C) and the patches (B, G², C)."""
        seen = self.classifier.cvt(pixels)
        return self.classifier.layernorm(seen.cls_token_value), seen.last_hidden_state.flatten(2).transpose(
            1, 2
        )

    @property
    def cam_layer(self) -> nn.Module:
        return cast(nn.Module, self.classifier.cvt.encoder.stages[-1].layers[-1].layernorm_before)


class CnnDetector(Detector):
    """The control: 0.9 million parameters of plain convolutions. It is compared with, and never shipped."""

    CHANNELS = (32, 64, 128, 192)

    def __init__(self, input_px: int) -> None:
        super().__init__(input_px, input_px // 16, self.CHANNELS[-1])
        blocks, before = [], 3
        for channels in self.CHANNELS:
            blocks += [_convolution(before, channels, stride=2), _convolution(channels, channels, stride=1)]
            before = channels
        self.features = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(before)
        self.classifier = nn.Linear(before, 2)

    def forward(self, pixels: Tensor) -> Judged:
        patches = self.norm(self.features(pixels).flatten(2).transpose(1, 2))
        return Judged(self.classifier(patches.mean(dim=1)), self.patch_logits(patches))


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def take(tokens: Tensor, indices: Tensor) -> Tensor:
    """tokens (B, T, C), indices (B, K) -> (B, K, C)."""
    return tokens.gather(1, indices.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
