"""The pictures show what they say: the right face in the right column, losses at the right height."""

import numpy as np
import pytest

from faceswap.train.preview import COLUMNS, PreviewFaces, contact_sheet, loss_plot

SRC_COLOUR, DST_COLOUR = (90, 170, 255), (255, 200, 70)


def flat_faces(rows: int, resolution: int, mask: float) -> PreviewFaces:
    """Column c, row r is evenly (c + 1)/10 bright in red and r/10 in green."""

    def column(index: int) -> np.ndarray:
        picture = np.zeros((rows, resolution, resolution, 3), np.float32)
        picture[..., 0] = (index + 1) / 10
        picture[..., 1] = np.arange(rows)[:, None, None] / 10
        return picture

    masks = [np.full((rows, resolution, resolution, 1), mask, np.float32)] * 4
    return PreviewFaces(*map(column, range(5)), *masks)


@pytest.mark.parametrize(("resolution", "cell"), [(64, 192), (128, 256), (160, 160), (224, 224), (320, 320)])
def test_every_cell_shows_its_face(resolution: int, cell: int) -> None:
    sheet = contact_sheet(flat_faces(3, resolution, mask=1.0), "iteration 7")
    top = sheet.shape[0] - 3 * (cell + 4)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == (cell + 4) * len(COLUMNS) - 4
    for column in range(6):
        for row in range(3):
            middle = sheet[top + row * (cell + 4) + cell // 2, column * (cell + 4) + cell // 2]
            brightness = 5 if column == 5 else column + 1  # with a full mask the last column is the swap
            assert np.allclose(middle / 255, (brightness / 10, row / 10, 0), atol=0.003)


def test_the_swap_in_place_keeps_dst_outside_its_mask() -> None:
    faces = flat_faces(1, 64, mask=0.0)
    assert np.array_equal(faces.columns()[5], faces.dst)
    half = flat_faces(1, 64, mask=0.5)
    assert np.allclose(half.columns()[5], (half.swap + half.dst) / 2)


def test_the_masked_sheet_shows_faces_inside_their_masks_as_deepfacelab_does() -> None:
    faces = flat_faces(1, 160, mask=0.5)
    sheet = contact_sheet(faces, "", masked=True)
    reds = [int(sheet[150, column * 164 + 80, 0]) for column in range(5)]
    # deepfacelab.md §8.6: src ⊙ mask, src > src as it is, dst ⊙ mask, dst > dst ⊙ mask, swap ⊙ mask.
    assert np.allclose(np.array(reds) / 255, (0.05, 0.2, 0.15, 0.2, 0.25), atol=0.003)


def test_values_outside_the_range_do_not_wrap_round() -> None:
    faces = flat_faces(1, 160, mask=1.0)
    faces.swap[:] = 1.5
    faces.src[:] = -0.5
    sheet = contact_sheet(faces, "")
    assert np.all(sheet[150, 80] == 0) and np.all(sheet[150, 4 * 164 + 80] == 255)


def height_of(plot: np.ndarray, colour: tuple[int, int, int], x: int) -> float:
    rows = np.flatnonzero(np.all(np.abs(plot[26:290, x].astype(int) - colour) < 40, axis=-1))
    return float(rows.mean())


def test_a_falling_loss_falls_and_a_higher_one_lies_higher() -> None:
    count = 5000
    src = np.linspace(0.4, 0.2, count).tolist()
    dst = [0.1] * count
    plot = loss_plot(src, dst, count)
    left, right = (height_of(plot, SRC_COLOUR, x) for x in (100, 850))
    assert left < right < height_of(plot, DST_COLOUR, 850)
    assert abs(height_of(plot, DST_COLOUR, 100) - height_of(plot, DST_COLOUR, 850)) < 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 899])
def test_short_histories_are_drawn(count: int) -> None:
    plot = loss_plot([0.5] * count, [0.25] * count, count)
    assert plot.shape == (320, 900, 3)


def test_a_loss_of_zero_is_drawn() -> None:
    assert loss_plot([0.0] * 10, [0.0] * 10, 10).shape == (320, 900, 3)


@pytest.mark.parametrize("resolution", [64, 128, 160, 320, 512])
def test_captions_are_tall_enough_to_be_read_on_a_screen(resolution: int) -> None:
    sheet = contact_sheet(flat_faces(1, resolution, mask=1.0), "iteration 7")
    header = (sheet.shape[0] - sheet.shape[1] // len(COLUMNS)) // 2
    lines = sheet[: 2 * header].max(axis=2)
    for line in (lines[:header], lines[header:]):
        rows = np.flatnonzero((line > 150).any(axis=1))
        height = rows[-1] - rows[0] + 1
        assert height >= 10
        assert height * min(1, 1000 / sheet.shape[1]) >= 9, "in a window 1000 px wide"
