"""Maps against the known mask."""

import numpy as np
import pytest

from faceswap.detector.measures.localisation import Localisation, mask_iou, pointing_game


def square(size: int, rows: slice, columns: slice, value: float = 1.0) -> np.ndarray:
    picture = np.zeros((size, size), np.float32)
    picture[rows, columns] = value
    return picture


LEFT = square(64, slice(None), slice(0, 32))
TOP = square(64, slice(0, 32), slice(None))


def test_a_peak_on_the_mask_wins_and_one_beside_it_loses() -> None:
    heat = np.full((64, 64), 0.2, np.float32)
    heat[40, 10] = 0.3
    assert pointing_game(heat, LEFT) == 1
    assert pointing_game(heat, TOP) == 0


def test_tied_peaks_score_the_share_that_is_foreign() -> None:
    heat = np.zeros((64, 64), np.float32)
    heat[0, 0] = heat[0, 63] = heat[1, 63] = heat[2, 63] = 1
    assert pointing_game(heat, LEFT) == 0.25


@pytest.mark.parametrize("side", [7, 14, 64, 150])
def test_a_map_that_says_nothing_earns_chance(side: int) -> None:
    even = np.full((side, side), 0.3, np.float32)
    assert pointing_game(even, square(64, slice(0, 16), slice(0, 16))) == pytest.approx(1 / 16)


@pytest.mark.parametrize("side", [4, 8, 128])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_map_of_another_size_points_at_the_same_place(side: int, row: int, column: int) -> None:
    quarter = side // 2
    heat = np.zeros((side, side), np.float32)
    heat[row * quarter + quarter // 2, column * quarter + quarter // 2] = 1
    for masked_row in (0, 1):
        for masked_column in (0, 1):
            rows, columns = (slice(32 * k, 32 * k + 32) for k in (masked_row, masked_column))
            expected = float((row, column) == (masked_row, masked_column))
            assert pointing_game(heat, square(64, rows, columns)) == expected


def test_overlap_is_the_common_area_over_the_joint_one() -> None:
    # Quarters: one in both, two in one of them.
    assert mask_iou(LEFT, TOP) == pytest.approx(1 / 3)
    assert mask_iou(LEFT, LEFT) == 1
    assert mask_iou(LEFT, 1 - LEFT) == 0
    assert mask_iou(np.zeros_like(LEFT), LEFT) == 0


def test_the_threshold_cuts_the_map_and_not_the_mask() -> None:
    heat = LEFT * 0.6 + (1 - LEFT) * 0.3
    assert mask_iou(heat, LEFT, threshold=0.5) == 1
    assert mask_iou(heat, LEFT, threshold=0.2) == 0.5
    assert mask_iou(heat, LEFT, threshold=0.7) == 0


@pytest.mark.parametrize("side", [2, 8, 256])
def test_overlap_survives_another_size_of_map(side: int) -> None:
    heat = square(side, slice(None), slice(0, side // 2))
    assert mask_iou(heat, LEFT) == 1


def test_a_mask_need_not_be_square() -> None:
    mask = np.zeros((32, 64), np.float32)
    mask[:, :32] = 1
    heat = np.array([[1, 0], [1, 0]], np.float32)
    assert mask_iou(heat, mask) == 1
    assert pointing_game(heat, mask) == 1


def test_a_faint_blend_is_foreign_and_a_feathers_end_is_not() -> None:
    faint = LEFT * 0.25 + TOP * (1 - LEFT) * 0.1
    assert mask_iou(LEFT, faint) == 1


def test_a_set_is_averaged_and_what_has_no_mask_is_left_out() -> None:
    point = square(64, slice(40, 41), slice(10, 11))
    found = Localisation.of([LEFT, point, point, LEFT], [LEFT, TOP, LEFT, np.zeros_like(LEFT)])
    assert found == Localisation(
        pointing=pytest.approx(2 / 3),
        iou=pytest.approx((1 + 0 + 1 / 2048) / 3),
        chance=0.5,
        judged=3,
        skipped=1,
    )
    assert Localisation(**found.to_json()) == found


def test_without_a_foreign_pixel_there_is_nothing_to_find() -> None:
    nothing = np.zeros((8, 8), np.float32)
    with pytest.raises(ValueError, match="no foreign pixel"):
        pointing_game(nothing, nothing)
    with pytest.raises(ValueError, match="no foreign pixel"):
        mask_iou(nothing, nothing)
    with pytest.raises(ValueError, match="none of 2"):
        Localisation.of([nothing] * 2, [nothing] * 2)


def test_maps_and_masks_come_in_pairs_and_are_finite() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Localisation.of([LEFT, LEFT], [LEFT])
    with pytest.raises(ValueError, match="finite"):
        pointing_game(np.full((4, 4), np.nan, np.float32), LEFT)
