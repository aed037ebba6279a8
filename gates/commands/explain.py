"""``maestro explain RULE``: the rule's page, from our documentation or from the pack that has the rule."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import maestro
from maestro.errors import MaestroError, SelectionError, ToolFailure
from maestro.report.staged import mode_words
from maestro.repository import Repository
from maestro.world import World

if TYPE_CHECKING:
    from maestro.findings import Rule
    from maestro.snapshot import Snapshot
    from policy.pack import Pack

_HEADING = re.compile(r"^## +`?([\w.-]+/[\w.-]+)`?[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)[ \t]*$", re.MULTILINE | re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("rule", metavar="RULE", help="as a finding names it: mc.flags/missing_owner")
    parser.add_argument("--repo", default=".", metavar="DIR", help="where rules of your own packs are looked up")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Print the page, or say which rules have nearly that name."""
    pages = read_sections(pages_folder())
    text = pages.get(arguments.rule)
    if text is None:
        rules, own = _rules(), _own_packs(world.cwd / arguments.repo, world)
        candidates = [*map(_without_page, filter(lambda rule: rule.id == arguments.rule, rules))]
        candidates += [page for pack in own for page in pack.pages(arguments.rule)]
        text = candidates[0] if candidates else None
    if text is None:
        known = {*pages, *(rule.id for rule in rules)}
        known |= {f"{one.pack.name}/{rule.suffix}" for one in own for rule in one.pack.rules}
        near = difflib.get_close_matches(arguments.rule, sorted(known), 3, 0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise SelectionError(
            f"there is no rule {arguments.rule!r}",
            remedy=f"{hint}rules of your own packs are found inside the repository or with --repo DIR",
        )
    world.stdout.write(_harmless(text, colour=world.colour(world.stdout)))
    return 0


def pages_folder() -> Path:
    """The documentation: beside the package where it is installed, in ``docs/`` of a checkout.

    Raises:
        ToolFailure: this installation has neither.
    """
    package = Path(maestro.__file__).parent
    for folder in (package / "pages", package.parent / "docs"):
        if (folder / "gates").is_dir():
            return folder
    raise ToolFailure("this installation has no pages", remedy="install it again")


def read_sections(folder: Path) -> dict[str, str]:
    """Rule id to its section, heading included, from every page of gates, packs and verification."""
    sections: dict[str, str] = {}
    for page in sorted([*folder.glob("gates/*.md"), *folder.glob("packs/*.md"), *folder.glob("verify/*.md")]):
        sections |= split_sections(page.read_text(encoding="utf-8"))
    return sections


def split_sections(page: str) -> dict[str, str]:
    """The sections of a page whose heading (``## mc.flags/missing_owner``) is a rule's id; code blocks hide none."""
    masked = _FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), page)
    starts = [match.start() for match in re.finditer(r"^##? ", masked, re.MULTILINE)] + [len(page)]
    sections = {}
    for match in _HEADING.finditer(masked):
        end = next(start for start in starts if start > match.start())
        sections[match[1]] = page[match.start() : end].strip() + "\n"
    return sections


def _rules() -> list[Rule]:
    from gates.catalogue import all_rules

    return list(all_rules())


def _without_page(rule: Rule) -> str:
    return f"## {rule.id}\n\n{rule.title}\n\n**Prefer** {rule.remedy}\n"


@dataclass(frozen=True)
class _OwnPack:
    """A pack of the governed repository, with its README."""

    pack: Pack
    readme: str

    def pages(self, rule_id: str) -> Iterator[str]:
        """The README's section, else what the Rego says about itself."""
        name, _, suffix = rule_id.rpartition("/")
        if name != self.pack.name:
            return
        section = split_sections(self.readme).get(rule_id)
        if section:
            yield section
        for rule in self.pack.rules:
            if rule.suffix == suffix:
                place = f"{rule.location.path}:{rule.location.line}"
                said = [rule.title or self.pack.title, str(rule.custom.get("description") or "") or None]
                said += [self._plain(rule.name)] if rule.name == suffix else []
                owner = f"owner {self.pack.owner}" if self.pack.owner else "no owner"
                facts = f"mode {mode_words(self.pack.mode_of(rule), self.pack.hardening_of(rule))}, {owner}, {place}"
                aside = f"To set it aside: maestro waive {rule_id} SUBJECT --until DATE --reason TEXT"
                where = "SUBJECT is Kind/name of a document of ours, else the path of the file."
                yield "\n\n".join([f"## {rule_id}", *filter(None, said), facts, f"{aside}\n{where}"]) + "\n"

    def _plain(self, name: str) -> str:
        return (
            f"The rules named plain `{name}` of the package {self.pack.name}; the message says which spoke. They share "
            f"this id, so a waiver sets all of them aside: name them `{name}_<what>` to tell them apart."
        )


def _own_packs(folder: Path, world: World) -> list[_OwnPack]:
    """The packs of the repository around ``folder``, as they are in its working tree; none outside of one."""
    from maestro.config import load_config
    from policy.bundle.door import BundleDoor
    from policy.pack import load_packs

    try:
        with Repository.open(folder, world.environ) as repository:
            files = repository.worktree()
            if "maestro.yaml" not in files.entries:
                return []
            door = BundleDoor(repository.root, world.now(), world.environ)
            packs = load_packs(files, load_config("maestro.yaml", files.read("maestro.yaml")), door).packs
            today = world.now().astimezone(dt.UTC).date()
            return [_OwnPack(pack.on(today), _readme(files, pack.path)) for pack in packs]
    except MaestroError:
        return []  # a repository that cannot be read has no rules to offer; the answer is then "no such rule"


def _readme(files: Snapshot, path: str) -> str:
    entry = files.entries.get(f"{path}/README.md")
    return files.read(f"{path}/README.md").decode("utf-8", "replace") if entry and entry.is_file else ""


def _harmless(text: str, *, colour: bool) -> str:
    """No control characters (a pack's page is somebody's text); headings bold where colour is welcome."""
    clean = "".join(sign if sign in "\n\t" or sign.isprintable() else "\ufffd" for sign in text)
    return re.sub(r"^(#+ .*)$", "\x1b[1m\\1\x1b[0m", clean, flags=re.MULTILINE) if colour else clean
