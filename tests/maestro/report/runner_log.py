"""What GitHub's runner does with a line of a step's output, after ``ActionCommand.cs`` of actions/runner."""

from __future__ import annotations

import re
from typing import NamedTuple

KNOWN = {
    *("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice"),
    *("remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"),
}


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    data: str


def _decode(text: str, tokens: str) -> str:
    for token in tokens:
        text = text.replace(f"%{ord(token):02X}", token)
    return text


def obeyed(line: str) -> Command | None:
    """The command the runner carries out, or None when the line is only text."""
    trimmed = line.lstrip()
    if trimmed.startswith("::") and (end := trimmed.find("::", 2)) >= 0:
        name, _, listed = trimmed[2:end].partition(" ")
        if name.lower() in KNOWN:
            pairs = [pair.split("=", 1) for pair in listed.strip().split(",") if "=" in pair]
            properties = {key: _decode(value, "\r\n:,%") for key, value in pairs}
            return Command(name, properties, _decode(trimmed[end + 2 :], "\r\n%"))
    for match in re.finditer(r"##\[([^ \]]*)[^\]]*\](.*)", line):
        if match[1].lower() in KNOWN:
            return Command(match[1], {}, match[2])
    return None


def commands(output: str) -> list[Command]:
    return [command for line in re.split(r"\r\n|\n|\r", output) if (command := obeyed(line))]
