"""Where a rule's page stands on the web, as far as the job's environment tells: nothing is guessed. Pure.

A gate's page lies in the repository that the composite action came from; a pack's beside the pack, at the policy
revision. Outside of GitHub Actions there is no address, and `maestro explain` shows the same page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from gates import catalogue
from gates.scene import Settings
from maestro.findings import Verdict

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_REF = re.compile(r"[A-Za-z0-9_./-]+")


def with_addresses(verdicts: Iterable[Verdict], settings: Settings, environ: Mapping[str, str]) -> tuple[Verdict, ...]:
    """The verdicts, each finding with its page's address where there is one."""
    address = _address_of(settings, environ)
    return tuple(
        replace(verdict, findings=tuple(replace(one, docs=one.docs or address(one.rule)) for one in verdict.findings))
        for verdict in verdicts
    )


def _address_of(settings: Settings, environ: Mapping[str, str]) -> Callable[[str], str | None]:
    server = environ.get("GITHUB_SERVER_URL", "")
    action, ref = environ.get("GITHUB_ACTION_REPOSITORY", ""), environ.get("GITHUB_ACTION_REF", "")
    here, commit = environ.get("GITHUB_REPOSITORY", ""), settings.snapshot.commit
    pages = {rule.id: gate.ID for gate in catalogue.load() for rule in gate.RULES}
    packs = {pack.name: f"{pack.path}/README.md" for pack in settings.packs.packs}

    def address(rule: str) -> str | None:
        if not server.startswith("https://"):
            return None
        anchor = re.sub(r"[^a-z0-9_ -]", "", rule.lower())  # as GitHub makes them from headings
        if rule in pages:
            known = _PLAIN.fullmatch(action) and _REF.fullmatch(ref)
            return f"{server}/{action}/blob/{ref}/docs/gates/{pages[rule]}.md#{anchor}" if known else None
        page = packs.get(rule.rpartition("/")[0])
        if page is None or commit is None or page not in settings.snapshot.entries or not _PLAIN.fullmatch(here):
            return None
        return f"{server}/{here}/blob/{commit}/{page}#{anchor}"

    return address
