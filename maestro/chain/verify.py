"""Whether a chain of steps holds: read strictly, then judged by in-toto where nothing can be touched or run.

in-toto is started in an empty folder with an empty environment, on copies of exactly the bytes that were read.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maestro.chain.reading import JOB, Layout, Link, Step, read_layout, read_link
from maestro.chain.reasons import ChainRefused
from maestro.errors import ToolFailure
from maestro.process import run

_SECONDS = 60.0
_CODES = {
    "SignatureVerificationError": "chain/layout-signature",
    "LayoutExpiredError": "chain/layout-expired",
    "ThresholdVerificationError": "chain/link-signature",
    "RuleVerificationError": "chain/rule",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that holds.

    Attributes:
        steps: their names, in the layout's order.
        products: what the last one recorded: path to SHA-256 (hexadecimal).
        together: groups of steps that nothing keeps apart, each with why.
    """

    steps: tuple[str, ...]
    products: Mapping[str, str]
    together: tuple[tuple[tuple[str, ...], str], ...]

    def require(self, path: str, sha256: str) -> None:
        """The last step recorded this very file.

        Raises:
            ChainRefused: not at all, or with another content.
        """
        recorded = self.products.get(path)
        if recorded is None:
            raise ChainRefused("chain/product", f"{path} is none of what the last step, {self.steps[-1]}, recorded")
        if recorded != sha256:
            words = f"{path} is not the file that the last step, {self.steps[-1]}, recorded (sha256 {recorded[:12]})"
            raise ChainRefused("chain/product", words)


def verify_chain(layout: bytes, links: Mapping[str, bytes], owners: Sequence[str], now: dt.datetime) -> Chain:
    """The chain, believed.

    Args:
        layout: the layout file's bytes.
        links: the files beside it by name; those that no step can have written are left out.
        owners: public keys (PEM) that must all have signed the layout; at least one.
        now: aware.

    Raises:
        ChainRefused: it does not hold.
        ToolFailure: in-toto could not be asked.
    """
    asked = read_layout(layout)
    if asked.expires <= now:
        raise ChainRefused("chain/layout-expired", f"the layout expired at {asked.expires:%Y-%m-%d %H:%M} UTC")
    found: dict[str, Link] = {}
    for step in asked.steps:
        for name in step.link_names():
            if name in links:
                found[name] = read_link(links[name], name)
                if found[name].step != step.name:
                    words = f"{name} is the link of the step {found[name].step!r:.60}"
                    raise ChainRefused("chain/link-of-another-step", words)
        _enough(step, set(found), links)
    products = _judged(layout, {name: links[name] for name in found}, owners)
    return Chain(tuple(step.name for step in asked.steps), products, together(asked, found))


def _enough(step: Step, found: set[str], links: Mapping[str, bytes]) -> None:
    """There are as many links of the step as have to be; whether they are signed is in-toto's to say."""
    there = found.intersection(step.link_names())
    if len(there) >= step.threshold:
        return
    others = sorted(name for name in links if name.startswith(f"{step.name}.") and name not in there)
    words = f"the step {step.name} has {len(there)} of {step.threshold} links by keys that may sign it"
    raise ChainRefused("chain/link-missing", words + (f"; by another key there is {others[0]:.120}" if others else ""))


def _judged(layout: bytes, links: Mapping[str, bytes], owners: Sequence[str]) -> dict[str, str]:
    if not owners:
        raise ChainRefused("chain/layout-signature", "nobody is named whose signature on the layout counts")
    with tempfile.TemporaryDirectory(prefix="maestro-chain-") as name:
        folder = Path(name)
        for part in ("links", "owners", "empty"):
            (folder / part).mkdir()
        (folder / "layout").write_bytes(layout)
        for file, data in links.items():
            (folder / "links" / file).write_bytes(data)
        for index, pem in enumerate(owners):
            (folder / "owners" / f"{index}.pub").write_text(pem, encoding="utf-8")
        argv = [sys.executable, "-I", "-m", "maestro.chain.judge", name]
        done = run(argv, timeout=_SECONDS, env={"LC_ALL": "C.UTF-8"}, cwd=folder / "empty", output_limit=64 << 20)
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing"]
        raise ToolFailure(f"in-toto could not be asked about the chain; it says: {last[0]:.200}") from error
    if "error" in said:
        raise ChainRefused(_CODES.get(said["error"], "chain/refused"), f"in-toto: {said['message']}")
    products: dict[str, str] = said["products"]
    return products


def together(layout: Layout, links: Mapping[str, Link]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Steps that one key may sign, or that ran in one job by their recorder's word: whoever has one has the other.

    Each group with its reason; ``links`` by file name.
    """
    groups: dict[str, list[str]] = {}
    for step in layout.steps:
        for key in step.keys:
            groups.setdefault(f"are signed with one key ({key[:8]})", []).append(step.name)
        jobs = set()
        for name in step.link_names():
            said = links[name].environment if name in links else {}
            if all(isinstance(said.get(field), str) for field in JOB):
                jobs.add(f"ran in one job ({said['GITHUB_JOB']:.60} of run {said['GITHUB_RUN_ID']:.30})")
        for job in jobs:
            groups.setdefault(job, []).append(step.name)
    return tuple((tuple(names), why) for why, names in groups.items() if len(names) > 1)
