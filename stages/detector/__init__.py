"""9.1 detector: train and question the judge of forgeries

    python -m stages.detector gather --data DIR --set SET      real crops, with people and splits
    python -m stages.detector add --set SET --workspace DIR --identity WHO --donor WHO     finished swaps
    python -m stages.detector redraw --set SET --workspace DIR --model NAME     swaps of everybody in the set
    python -m stages.detector probe --set SET                    shortcuts that a set would teach
    python -m stages.detector exam --data DIR --detector FOLDER/best     other programs' swaps
    python -m stages.detector train --set SET --output FOLDER --minutes 60
    python -m stages.detector evaluate --set SET --detector FOLDER/best
    python -m stages.detector predict FILE_OR_FOLDER --detector FOLDER/best [--json]
    python -m stages.detector serve --detector FOLDER/best         a page and a service that judge uploads
    python -m stages.detector crossval --set SET --output FOLDER --iterations 500
    python -m stages.detector export --detector FOLDER/best --output OTHER [--onnx]
    python -m stages.detector harden --set SET --workspace DIR --detector FOLDER/best --output OTHER
    python -m stages.detector finetune --recipe virtus --data DIR --output FOLDER     your Real/, Fake/

The judge only ever looks at finished work: nothing that makes swaps reads its answers.
"""

from collections.abc import Callable
from typing import Any

from faceswap.config import StageSettings
from stages.detector import judging, sets, training

ACTIONS: dict[str, tuple[type[StageSettings], Callable[[Any], None]]] = {
    "gather": (sets.GatherSettings, sets.gather),
    "add": (sets.AddSettings, sets.add),
    "redraw": (sets.RedrawSettings, sets.redraw),
    "probe": (sets.ProbeSettings, sets.probe),
    "exam": (judging.ExamSettings, judging.exam),
    "train": (training.TrainSettings, training.train),
    "evaluate": (judging.EvaluateSettings, judging.evaluate),
    "predict": (judging.PredictSettings, judging.predict),
    "serve": (judging.ServeSettings, judging.serve),
    "crossval": (training.CrossvalSettings, training.crossval),
    "harden": (training.HardenSettings, training.harden),
    "export": (judging.ExportSettings, judging.export),
    "finetune": (training.FinetuneSettings, training.finetune),
}
