"""`python -m stages` lists and starts the stages; `stages.workspace` keeps clips safe."""

import subprocess
from collections.abc import Callable
from pathlib import Path

RunStage = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_list_names_every_stage_with_its_number_and_one_line(run_stage: RunStage) -> None:
    listed = {line.split()[1]: line.split() for line in run_stage("__main__").stdout.splitlines()[2:]}
    folder = Path(__file__).parent.parent.parent / "stages"
    packages = [path.parent for path in folder.glob("*/__init__.py")]
    assert set(listed) == {path.stem for path in (*folder.glob("[!_]*.py"), *packages)}
    assert [listed[name][0] for name in ("extract_src", "align_dst", "train", "encode")] == [
        "2",
        "5",
        "6",
        "8",
    ]
    assert all(len(words) > 4 for words in listed.values())


def test_a_stage_runs_by_number_and_by_name(run_stage: RunStage) -> None:
    by_number = run_stage("__main__", "1", "--workspace", "by number", check=True)
    by_name = run_stage("__main__", "workspace", "--workspace", "by number", check=True)
    assert by_number.stdout == by_name.stdout
    assert "data_src" in by_number.stdout


def test_an_unknown_stage_ends_with_2_and_tells_what_to_type(run_stage: RunStage) -> None:
    done = run_stage("__main__", "66")
    assert (done.returncode, "python -m stages" in done.stderr) == (2, True)


def test_workspace_brings_clips_and_never_replaces_one(
    run_stage: RunStage, demo_clips: Path, tmp_path: Path
) -> None:
    first, second = demo_clips / "actor_a.mp4", demo_clips / "actor_b.mp4"
    run_stage("workspace", "--workspace", "w 🎬", "--src", first, check=True)
    kept = tmp_path / "w 🎬" / "data_src.mp4"
    assert kept.read_bytes() == first.read_bytes()
    run_stage("workspace", "--workspace", "w 🎬", "--src", first, check=True)
    refused = run_stage("workspace", "--workspace", "w 🎬", "--src", second)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert kept.read_bytes() == first.read_bytes()


def test_workspace_refuses_what_is_no_file(run_stage: RunStage, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for wrong in ("absent.mp4", "folder"):
        done = run_stage("workspace", "--dst", wrong)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_mistake_in_one_side_makes_nothing_of_either(
    run_stage: RunStage, demo_clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing in it").mkdir()
    good = ("--src", demo_clips / "actor_a.mp4")
    for wrong in ("absent.mp4", "nothing in it", "~nobody-of-that-name/film.mp4"):
        done = run_stage("workspace", "--workspace", "new", *good, "--dst", wrong)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert not (tmp_path / "new").exists()


def test_a_mistyped_stage_gets_the_nearest_name(run_stage: RunStage) -> None:
    for typed, meant in (("exrtact_dst", "extract_dst"), ("trian", "train"), ("mask-apply", "mask_apply")):
        assert f"did you mean {meant}?" in run_stage("__main__", typed).stderr
    assert "did you mean restore?" in run_stage("model", "restor").stderr
