"""Encoder, inter and decoder: the three parts every model is wired from (deepfacelab.md §7.2)."""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.blocks import (
    Activation,
    Down,
    Residual,
    Stack,
    SubPixelFace,
    Up,
    leaky_relu,
    pixel_norm,
    x_cos_x,
)
from faceswap.models.conv import conv


class Encoder(nn.Module):
    """A face becomes a flat vector of `size` numbers, in (channel, row, column) order."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        e = spec.encoder_dims
        self.normalise = spec.arch.u
        down = partial(Down, activate=activation(spec.arch))
        residual = partial(Residual, activate=activation(spec.arch))
        if spec.arch.t:
            layers = [down(3, e), residual(e), down(e, 2 * e), down(2 * e, 4 * e), down(4 * e, 8 * e)]
            layers += [down(8 * e, 8 * e), residual(8 * e)]
        else:
            layers = [down(3, e), down(e, 2 * e), down(2 * e, 4 * e), down(4 * e, 8 * e)]
        self.layers = Stack(*layers)
        self.size = 8 * e * (spec.resolution // (32 if spec.arch.t else 16)) ** 2

    def forward(self, face: Tensor) -> Tensor:
        """(B, 3, R, R) -> (B, size)."""
        flat: Tensor = self.layers(face).flatten(1)
        return pixel_norm(flat) if self.normalise else flat


class Inter(nn.Module):
    """The bottleneck: two dense layers without activation, reshaped to a small map of `outputs` channels."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int) -> None:
        super().__init__()
        side = spec.resolution // (32 if spec.arch.d else 16)
        self.dense1 = nn.Linear(inputs, spec.ae_dims)
        self.dense2 = nn.Linear(spec.ae_dims, side * side * outputs)
        self.to_map = nn.Unflatten(1, (outputs, side, side))
        self.upscale1 = nn.Identity() if spec.arch.t else Up(outputs, outputs, activation(spec.arch))

    def forward(self, flat: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs, L, L), L = R/8; R/16 with D or T, R/32 with both."""
        code: Tensor = self.upscale1(self.to_map(self.dense2(self.dense1(flat))))
        return code


class Decoder(nn.Module):
    """A code becomes a face and its mask; the two paths share nothing but the code."""

    def __init__(self, spec: ModelSpec, inputs: int) -> None:
        super().__init__()
        d, m = spec.decoder_dims, spec.mask_dims
        # T: one level more, at the widest channel count.
        factors = (8, 8, 4, 2) if spec.arch.t else (8, 4, 2)
        activate = activation(spec.arch)
        self.face = Stack(*_face_layers(inputs, [d * factor for factor in factors], activate))
        self.face_out = SubPixelFace(2 * d) if spec.arch.d else conv(2 * d, 3, kernel=1)
        # D: the mask has no sub-pixel output, it climbs the last step by one more level.
        widths = [inputs, *(m * factor for factor in (*factors, 1)[: len(factors) + spec.arch.d])]
        self.mask = Stack(*(Up(*pair, activate) for pair in pairwise(widths)))
        self.mask_out = conv(widths[-1], 1, kernel=1)

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, L, L) -> face (B, 3, R, R) and mask (B, 1, R, R), float32 in [0, 1]."""
        return self.decode_face(code), self.decode_mask(code)

    def decode_face(self, code: Tensor) -> Tensor:
        """The face alone, for a swap that needs no mask of it."""
        # bf16 has 8 bits: fewer steps near 1 than a picture, so the squashing is done in float32.
        return torch.sigmoid(self.face_out(self.face(code)).float())

    def decode_mask(self, code: Tensor) -> Tensor:
        """The mask alone: a small part of the work of the face."""
        return torch.sigmoid(self.mask_out(self.mask(code)).float())


def activation(arch: Arch) -> Activation:
    """What follows the convolutions of a variant."""
    return x_cos_x if arch.c else leaky_relu


def _face_layers(inputs: int, widths: list[int], activate: Activation) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, *widths)):
        layers += [Up(before, after, activate), Residual(after, activate)]
    return layers
