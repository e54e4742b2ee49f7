"""Training pictures for a mask network: labelled faces in other places, behind things, in any light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
import torch
from numpy.random import Generator

from faceswap.augment.backgrounds import texture
from faceswap.augment.filters import change_look, shift_hsv, shift_levels
from faceswap.augment.occluders import occlude
from faceswap.augment.photometric import change_colours
from faceswap.augment.pictures import Picture
from faceswap.augment.warp import TransformRanges, draw_augment
from faceswap.masks.train.data import MaskSamples
from faceswap.types import Mask

_TEXTURES_N = 64
# The second face, whose surroundings are mixed in, may lie any way up (deepfacelab.md §6.3, step 2).
_MIXED = TransformRanges(180.0, 0.1, 0.1)
# For one picture (2, 3) output_to_input and (2, 9, 9) displacement, see `train.augment.AugmentParams`.
_Placing: TypeAlias = tuple[Mask, Mask]


@dataclass(frozen=True)
class AugmentSettings:
    """How far training pictures are changed; the defaults are DeepFaceLab's (deepfacelab.md §6.3).

    placing: bounds of the random transform. mix: chance that a second face's surroundings are mixed in.
    occlude: chance of something synthetic before the face. replace: chance of another background where the
    figure is known. look: part of their chances that changes of light and quality have.
    shares: how often each source of samples is drawn, others never; empty: every sample as often.
    """

    placing: TransformRanges = field(default_factory=lambda: TransformRanges(10.0, 0.05, 0.05))
    mix: float = 0.5
    occlude: float = 0.3
    replace: float = 0.0
    look: float = 0.85
    shares: Mapping[str, float] = field(default_factory=dict)


class Augmenter:
    """Draws pictures and masks of `input_px`² from `samples`; a batch depends on its generator alone.

    textures: pictures of at least input_px a side without faces; made from `seed` where none are given.
    """

    def __init__(
        self,
        samples: MaskSamples,
        settings: AugmentSettings,
        input_px: int = 256,
        textures: Sequence[Picture] = (),
        seed: int = 0,
    ) -> None:
        self._samples, self._settings, self._input_px = samples, settings, input_px
        random = np.random.default_rng([seed, _TEXTURES_N])
        self._textures = textures or [texture(input_px, input_px, random) for _ in range(_TEXTURES_N)]
        sources = np.array([tag.source for tag in samples.tags])
        shares = {name: share for name, share in settings.shares.items() if (sources == name).any()}
        self._rows = [np.flatnonzero(sources == name) for name in shares] or [np.arange(len(sources))]
        total = np.array([*shares.values()] or [1.0])
        self._shares = total / total.sum()

    def draw(self, random: Generator, count: int) -> tuple[Picture, Mask]:
        """Pictures (count, R, R, 3) uint8 and masks (count, R, R) float32 in [0, 1], each a face changed
        at random."""
        placings = self._placings(random, count, self._settings.placing)
        mixed = self._placings(random, count, _MIXED)
        pairs = [self._draw_one(*both, random) for both in zip(placings, mixed, strict=True)]
        pictures, masks = zip(*pairs, strict=True)
        return np.stack(pictures), np.stack(masks)

    def _placings(self, random: Generator, count: int, ranges: TransformRanges) -> list[_Placing]:
        # Drawn for all pictures at once: the tensors are small, the calls are what takes time.
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        params = draw_augment(generator, count, flip=True, ranges=ranges)
        return list(zip(params.output_to_input.numpy(), params.displacement.numpy(), strict=True))

    def _draw_one(self, placing: _Placing, mixed: _Placing, random: Generator) -> tuple[Picture, Mask]:
        settings = self._settings
        picture, mask, figure = self._place(self._row(random), placing)
        if random.random() < settings.replace:
            picture = self._replace(picture, figure, random)
        if random.random() < settings.mix:
            picture = self._mix(picture, mask, mixed, random)
        if random.random() < settings.occlude:
            picture, mask = occlude(picture, mask, self._textures, random)
        return change_look(picture, mask, random, settings.look), mask

    def _row(self, random: Generator) -> int:
        rows = self._rows[random.choice(len(self._rows), p=self._shares)]
        return int(rows[random.integers(len(rows))])

    def _place(self, row: int, placing: _Placing) -> tuple[Picture, Mask, Mask]:
        """Picture, mask and figure of a sample, turned, scaled, shifted, mirrored and bent as one."""
        sample = self._samples[row]
        x, y = self._sample_from_output(*placing)
        picture = cv2.remap(sample.picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        layers = cv2.remap(sample.layers, x, y, cv2.INTER_LINEAR, borderValue=(0, 255))
        mask, figure = np.asarray(layers, np.float32).transpose(2, 0, 1) / np.float32(255)
        return np.asarray(picture, np.uint8), np.ascontiguousarray(mask), figure

    def _sample_from_output(self, output_to_input: Mask, displacement: Mask) -> tuple[Mask, Mask]:
        """Where in the sample each output pixel is taken from, x and y in sample pixels, (R, R) each."""
        side, half = self._input_px, np.float32(self._samples.crop_px / 2)
        middle = np.float32((self._samples.size_px - 1) / 2)
        centres = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
        # Nodes lie from edge to edge, so pixel −½ is the first and R − ½ the last.
        step = (displacement.shape[-1] - 1) / side
        to_nodes = np.array([(step, 0, step / 2), (0, step, step / 2)])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        maps = []
        for row, moved in zip(output_to_input, displacement, strict=True):
            bent = cv2.warpAffine(moved, to_nodes, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            unit = row[0] * centres[None] + row[1] * centres[:, None] + row[2] + bent
            maps.append((unit * half + middle).astype(np.float32))
        return maps[0], maps[1]

    def _replace(self, picture: Picture, figure: Mask, random: Generator) -> Picture:
        """Something else behind the figure; as it is where all of the picture may be figure."""
        if figure.min() > 0.5:
            return picture
        behind = self._texture(random)
        return np.asarray(cv2.blendLinear(picture, behind, figure, 1 - figure), np.uint8)

    def _texture(self, random: Generator) -> Picture:
        whole = self._textures[int(random.integers(len(self._textures)))]
        y, x = (int(random.integers(length - self._input_px + 1)) for length in whole.shape[:2])
        part = np.ascontiguousarray(whole[y : y + self._input_px, x : x + self._input_px])
        return change_colours(part, random)

    def _mix(self, picture: Picture, mask: Mask, placing: _Placing, random: Generator) -> Picture:
        """The surroundings of another face laid over this one's (deepfacelab.md §6.3, step 2)."""
        other, its_mask, _ = self._place(self._row(random), placing)
        other = (shift_hsv if random.random() < 0.5 else shift_levels)(other, random)
        other = np.asarray(other * (1 - its_mask[..., None]), np.uint8)
        kept = 1 - (1 - its_mask) * (1 - mask)
        share = kept + (1 - kept) * np.float32(random.uniform(0.15, 1.0))
        return np.asarray(cv2.blendLinear(picture, other, share, 1 - share), np.uint8)
