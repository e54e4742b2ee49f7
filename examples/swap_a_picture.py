"""Swap the faces of one picture with a trained model.

    python examples/swap_a_picture.py PICTURE MODEL_FOLDER RESULT

MODEL_FOLDER is what `stages.train` writes, such as workspace/model/new; RESULT a PNG, which says in its text
that it is synthetic. Use it on your own face or with the consent of the people shown.
"""

import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

import faceswap


def main(picture: Path, folder: Path, result: Path) -> None:
    frame = faceswap.read_image(picture)
    analyzer = faceswap.FaceAnalyzer(faceswap.load_pack("bundled"))
    faces = [face.landmarks for face in analyzer.find(frame)]
    settings = faceswap.MergeSettings(mask_mode="learned-prd*learned-dst", color_transfer="rct", blur=60)
    swapped, mask = faceswap.swap_frame(frame, faces, faceswap.load_model(folder), settings)
    note = PngInfo()
    note.add_text("Comment", "Synthetic: faces in this picture were swapped by a machine.")
    Image.fromarray(swapped).save(result, pnginfo=note)
    print(f"{len(faces)} faces swapped, {mask.mean():.1%} of the picture covered: {result}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*map(Path, sys.argv[1:]))
    except faceswap.UserError as error:
        sys.exit(f"error: {error}")
