"""What the documents promise is there: sections that are cited, links, and paths; every package is pinned."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [*DOCS.glob("*.md"), REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "README.md"]
# Notes that lie beside the repository where it is developed; what rests on them must say so in docs/.
NOT_HERE = re.compile(
    r"\b(?:dfl-facts|detector-facts|api-traps|peers\.md|examples\.md|\.\./shared/reference)"
)


@cache
def texts() -> dict[str, str]:
    """The text files of the repository, by their path in it."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, encoding="utf-8")
    if listed.returncode:
        pytest.skip("no git here to list the repository's files")
    kinds = (".py", ".md", ".sh", ".toml", ".j2")
    paths = [path for path in listed.stdout.split("\n") if path.endswith(kinds)]
    return {path: (REPOSITORY / path).read_text(encoding="utf-8") for path in paths}


def cited() -> Iterator[tuple[str, str, str]]:
    """(citing file, document, section) of every citation such as "deepfacelab.md §8.4, §9"."""
    for path, text in texts().items():
        for document, sections in re.findall(r"\b(deepfacelab|detection)\.md((?:,? §\d+(?:\.\d+)*)+)", text):
            for section in re.findall(r"§(\d+(?:\.\d+)*)", sections):
                yield path, document, section


def test_every_cited_section_is_there() -> None:
    known = {
        name: set(re.findall(r"§(\d+(?:\.\d+)*)", (DOCS / f"{name}.md").read_text(encoding="utf-8")))
        for name in ("deepfacelab", "detection")
    }
    assert not {
        f"{path}: {name}.md §{section}" for path, name, section in cited() if section not in known[name]
    }


def test_nothing_cites_a_document_that_is_not_in_the_repository() -> None:
    me = str(Path(__file__).relative_to(REPOSITORY))
    assert not {path for path, text in texts().items() if path != me and NOT_HERE.search(text)}


def test_links_of_the_documents_lead_somewhere() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target)
    ]
    assert not {f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()}


def test_paths_that_the_documents_name_are_there() -> None:
    named = re.compile(r"(?<![\w/.])((?:faceswap|stages|tests|assets|docs|examples|findings)/[\w/.-]*\w)")
    assert not {
        f"{page.name}: {path}"
        for page in PAGES
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (REPOSITORY / path).exists()
    }


def test_every_package_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [
        *project["dependencies"],
        *(name for names in project["optional-dependencies"].values() for name in names),
    ]
    names = {re.split(r"[\[><=! ]", line)[0].lower().replace("_", "-") for line in asked} - {project["name"]}
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").split("\n")
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert not names - pinned
