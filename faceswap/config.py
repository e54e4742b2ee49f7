"""Settings of a stage: one frozen, validated object, from defaults, files and flags, saved and replayed.

Order of strength: default < `--preset NAME` < `--config FILE` < flag. pydantic-settings reads the flags.
"""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from faceswap import __version__
from faceswap.cli import flags_of, group_help, nearest, tidy, told_apart
from faceswap.console import command, warn
from faceswap.errors import Stopped, UserError, explained
from faceswap.io.documents import read_json, read_settings
from faceswap.io.files import list_names, write_json
from faceswap.io.lock import locked, owner_of
from faceswap.stopping import Ending, StopRequest, exit_code
from faceswap.streams import secure
from faceswap.system import explain_import
from faceswap.types import FaceType
from faceswap.workspace import Workspace, assets


def option(
    default: Any, help: str, *, unit: str = "", ge: float | None = None, le: float | None = None
) -> Any:
    """A settings field whose `--help` names its range and unit; values outside [ge, le] are refused."""
    span = (
        f"{'' if ge is None else f'{ge:g}'}…{'' if le is None else f'{le:g}'}"
        if (ge, le) != (None, None)
        else ""
    )
    note = ", ".join(part for part in (span, unit) if part)
    return Field(default, description=f"{help} [{note}]" if note else help, ge=ge, le=le)


class StageSettings(BaseSettings):
    """What every stage accepts; a stage's own settings derive from it."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        allow_inf_nan=False,
    )

    # Whether it is a mistake to name a workspace that is not there.
    needs_workspace: ClassVar[bool] = True
    # The headings of --help, each with the names of its settings; the others stand before them.
    groups: ClassVar[Mapping[str, Collection[str]]] = {}

    workspace: Path = option(Path("workspace"), "folder of this job, in DeepFaceLab's layout")

    @field_validator("*", mode="after")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        """A shell leaves ~ alone in quotes and after --flag=, and nobody expands it in a file."""
        # A name may begin with ~, a folder of some user's only stands at the beginning of a path.
        is_home = isinstance(value, str) and (value == "~" or value.startswith("~/"))
        if not is_home and not (isinstance(value, Path) and str(value).startswith("~")):
            return value
        try:
            return type(value)(Path(value).expanduser())
        except RuntimeError:
            raise ValueError(f"there is no user {Path(value).parts[0][1:]!r}; type ./ before it") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Files and flags only: environment variables never change a result silently."""
        return (init_settings,)

    @property
    def place(self) -> Workspace:
        return Workspace(self.workspace)

    def writes(self) -> Iterable[Path]:
        """The folders and files that no other process may write while this stage works."""
        return ()

    def reads(self) -> Iterable[Path]:
        """Those that it takes as they are: that another process still writes them is only told."""
        return ()

    def check_workspace(self) -> None:
        """UserError where the workspace is none, before anything is made in it.

        A new one is made where the input is named beside it.
        """
        root, typed = self.workspace, "workspace" in self.model_fields_set
        named = [getattr(self, name, None) for name in ("input", "src", "dst", "frames")]
        used = typed or not self.needs_workspace or any(root in path.parents for path in self.writes())
        made = next((part for part in (root, *root.parents) if os.path.lexists(part)), root)
        if used and os.path.lexists(made) and not made.is_dir():
            hint = "name the folder of a job: --workspace DIR"
            raise UserError(f"the workspace {root} cannot be a folder", f"{made} is no folder", hint)
        outside = any(isinstance(path, Path) and path.exists() for path in named)
        if typed and self.needs_workspace and not (outside or root.is_dir()):
            near = root.parent.iterdir() if root.parent.is_dir() else ()
            found = nearest(root.name, [path.name for path in near if path.is_dir()])
            hint = f"to make it: {command('stages.workspace', '--workspace', root)}"
            raise UserError(f"there is no workspace {root}", found, hint)

    @classmethod
    def parse(cls, argv: Sequence[str], doc: str = "") -> Self:
        """Settings from command-line words; raises UserError naming the flag that is wrong."""
        words, files = _take_files(list(tidy(argv, flags_of(cls.model_fields))))
        values: dict[str, Any] = {}
        for file in files:
            values |= _from_file(file, cls)
        cls.__doc__ = f"{doc}\n\nAlso: --config FILE (a saved settings file), --preset NAME."
        if cls.groups and {"-h", "--help"} & set(words):
            print(group_help(CliSettingsSource(cls).root_parser, cls.groups))
            sys.exit(0)
        try:
            return CliApp.run(cls, cli_args=words, cli_exit_on_error=False, **values)
        except ValidationError as error:
            what, found = "these settings cannot be used", _describe(error, flags_of(cls.model_fields))
            raise UserError(what, found, "type --help for ranges") from None
        except SettingsError as error:
            what = "this command line cannot be read"
            raise UserError(what, str(error), "type --help for all flags") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Settings from values by name, such as a file's; raises UserError naming what cannot be."""
        try:
            return cls(**values)
        except ValidationError as error:
            found = _describe(error, flags_of(cls.model_fields))
            raise UserError("these settings cannot be used", found, "type --help for ranges") from None

    def save(self, path: Path, without: Collection[str] = ()) -> None:
        """Write the resolved settings, to be replayed with `--config`; the workspace itself is left out."""
        values = self.model_dump(mode="json", exclude={"workspace", *without})
        write_json(path, {"stage": _stage_name(type(self)), "version": __version__, "settings": values})


def _stage_name(settings: type[StageSettings]) -> str:
    """The stage's module: that of its settings or, where they lie in the library, the program's.

    Python calls the program's module `__main__` and keeps its name in the spec.
    """
    module = settings.__module__ if settings.__module__.startswith("stages.") else "__main__"
    name = getattr(sys.modules[module].__spec__, "name", module) if module in sys.modules else module
    return ".".join(name.split(".")[:2])  # a stage that is a folder has a module for its actions


# pydantic-settings lists an enum's member names in --help; a literal of its values is what people type.
if TYPE_CHECKING:
    FaceTypeOption: TypeAlias = FaceType
else:
    FaceTypeOption = Annotated[Literal[tuple(map(str, FaceType))], AfterValidator(FaceType)]

S = TypeVar("S", bound=StageSettings)


def run_stage(settings: type[S], main: Callable[[S], None], doc: str | None) -> None:
    """Run one stage as a process: parse, work, and turn a user's mistake into sentences and exit code 2."""
    secure()
    ending = Ending()
    try:
        cfg = settings.parse(sys.argv[1:], doc or "")
        cfg.check_workspace()
        with ExitStack() as stack:
            with StopRequest() as early:  # lest the file of a lock stays behind
                stack.enter_context(locked(cfg.writes()))
            early.raise_if_wanted()
            _tell_of_writers(cfg.reads())
            main(cfg)
    except UserError as error:
        _fail(error, ending)
    except KeyboardInterrupt as stop:
        _stop(stop, ending)
    except Exception as error:
        if ending.wanted is not None:
            _stop(ending.wanted, ending)
        if isinstance(error, ImportError) and (lacking := explain_import(error)):
            _fail(lacking, ending)
        if not isinstance(error, OSError | MemoryError | UnicodeEncodeError):
            raise
        _fail(explained(error), ending)


def run_actions(actions: Mapping[str, tuple[Any, Callable[[Any], None]]], doc: str | None) -> None:
    """Run the action of a stage that its first word names, each with a settings class of its own."""
    word = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if word in ("-h", "--help"):
        print(f"{doc}\nactions: {', '.join(actions)}; ACTION --help tells what each takes")
        return
    if word not in actions:
        unknown = UserError(f"there is no action {word!r}", told_apart(word, actions), "type --help")
        _fail(unknown, Ending())
    del sys.argv[1]
    settings, main = actions[word]
    run_stage(settings, main, main.__doc__)


def _tell_of_writers(paths: Iterable[Path]) -> None:
    for path in paths:
        if owner := owner_of(path):
            warn(f"{path} is being written by {owner}; what comes after now may be missing here")


def _stop(stop: KeyboardInterrupt, ending: Ending) -> NoReturn:
    ending.settle(exit_code(stop))
    how = "stopped" if isinstance(stop, Stopped) else "interrupted"
    told = "; ".join(getattr(stop, "__notes__", ())) or "the same command continues"
    print(f"\n{how}; {told}", file=sys.stderr)
    sys.exit(exit_code(stop))


def _fail(error: UserError, ending: Ending) -> NoReturn:
    # It ends already: torchrun asks for it as soon as another process has ended.
    ending.settle(2)
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


def _take_files(words: list[str]) -> tuple[list[str], list[Path]]:
    """Split `--preset X` and `--config X` off; presets come first, so that a config file wins over them."""
    rest, presets, configs = list[str](), list[Path](), list[Path]()
    pending = iter(words)
    for word in pending:
        flag, equals, value = word.partition("=")
        if flag not in ("--config", "--preset"):
            rest.append(word)
            continue
        value = value if equals else next(pending, "")
        if not value:
            raise UserError(f"{flag} needs a value", "", f"{flag} {'FILE' if flag == '--config' else 'NAME'}")
        path = Path(value).expanduser() if flag == "--config" else _preset(value)
        (configs if flag == "--config" else presets).append(path)
    return rest, presets + configs


def read_preset(name: str, settings: type[StageSettings]) -> dict[str, Any]:
    """What `--preset NAME` sets of a stage; UserError where there is none, or it sets something unknown."""
    return _from_file(_preset(name), settings)


def _preset(name: str) -> Path:
    folder = assets() / "presets"
    path = folder / f"{name}.json"
    if not path.is_file():
        raise UserError(f"no preset {name!r}", told_apart(name, list_names(folder, ".json"), "found"))
    return path


def _from_file(path: Path, cls: type[StageSettings]) -> dict[str, Any]:
    values = read_settings(path)
    unknown = sorted(set(values) - set(cls.model_fields))
    if unknown:
        maker = read_json(path).get("stage")
        if isinstance(maker, str) and maker != _stage_name(cls):
            found = f"it sets what this stage does not have: {', '.join(unknown)}"
            hint = f"give it to {maker}, or name a file of {_stage_name(cls)}"
            raise UserError(f"{path} holds settings of {maker}", found, hint)
        known = told_apart(unknown[0], list(cls.model_fields), "it has")
        raise UserError(f"{path} sets what this stage does not have: {', '.join(unknown)}", known)
    return values


def _describe(error: ValidationError, flags: Collection[str]) -> str:
    lines = []
    for item in error.errors():
        first, *inside = item["loc"] or ("",)
        name = str(first).replace("_", "-")
        flag = f"--{name}" if f"--{name}" in flags else name
        if inside and isinstance(inside[0], int):  # else the members of a union
            flag = ".".join(map(str, (flag, *inside)))
        message = item["msg"].removeprefix("Value error, ")
        choices = re.findall(r"'([^']*)'", str(item.get("ctx", {}).get("expected", "")))
        if found := nearest(str(item["input"]), choices):
            message += f"; {found}"
        lines.append(f"{flag} {item['input']!r:.200}: {message}" if flag else message)
    return "\n  ".join(lines)
