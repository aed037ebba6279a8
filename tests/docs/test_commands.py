"""Every `maestro …` that a page names exists, with the options it is given."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maestro.cli import COMMANDS, Command
from tests.docs.pages import fences, name_of, pages, without_fences

_INLINE = re.compile(r"`maestro ([^`]+)`")
_IN_BLOCK = re.compile(r"(?:^|[\s/])maestro ((?:[a-z]|--)(?!\S*:$).*)$")


def said(text: str) -> Iterator[str]:
    """What follows the word maestro wherever a page shows it as a command."""
    for inline in _INLINE.finditer(without_fences(text)):
        yield " ".join(inline[1].split())
    for language, content, _ in fences(text):
        if language in ("sh", "console", "yaml", ""):
            for line in re.sub(r"\\\n", " ", content).splitlines():
                # In a console, what stands without `$ ` is output.
                if (language != "console" or line.startswith("$ ")) and (found := _IN_BLOCK.search(line)):
                    yield re.split(r"\s+#|\s+[|>&;]", found[1])[0]


def options_of(command: Command) -> set[str]:
    parser = argparse.ArgumentParser(prog=command.name)
    importlib.import_module(command.module).add_arguments(parser)
    return {option for action in parser._actions for option in action.option_strings}


def objection(words: str) -> str | None:
    """What is wrong with a command as shown; None when it could be typed."""
    if words.startswith(("--version", "--help", "COMMAND ")):
        return None
    found = next((one for one in COMMANDS if words == one.name or words.startswith(f"{one.name} ")), None)
    if found is None:
        return f"there is no command `maestro {words}`"
    ours = words.partition(" -- ")[0]  # what follows is another program's
    used = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", re.sub(r'"[^"]*"', "", ours)))
    unknown = used - options_of(found)
    return f"`maestro {words}`: no option {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_commands_exist_with_their_options(page: Path) -> None:
    assert [wrong for words in said(page.read_text("utf-8")) if (wrong := objection(words))] == []


def test_every_command_is_in_the_list() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/README.md").read_text("utf-8")
    assert [command.name for command in COMMANDS if f"`maestro {command.name}" not in text] == []


def test_what_does_not_exist_would_be_seen() -> None:
    assert objection("check --all --format json=report.json") is None
    assert objection("check --al") == "`maestro check --al`: no option --al"
    assert objection("chek") == "there is no command `maestro chek`"
    page = "Run `maestro chek`.\n\n```sh\nmaestro fix --wrote   # now\n```\n"
    page += "\n```console\n$ maestro doctor\nmaestro is ok\n```\n"
    assert list(said(page)) == ["chek", "fix --wrote", "doctor"]
