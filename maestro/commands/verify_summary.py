"""``maestro verify summary``: whether somebody we believe has verified a file or an image before, with success."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from maestro.commands.verify_image import add_plain_http, beside_image
from maestro.provenance.deciding import add_policy_arguments, decided_by
from maestro.world import World

if TYPE_CHECKING:
    from maestro.provenance.deciding import Decider
    from maestro.provenance.loosening import Loosened
    from maestro.provenance.reasons import NotProven
    from maestro.provenance.summaries import Summarised
    from maestro.provenance.verify import Evidence

SCHEMA: Final = "maestro-conductor/summary/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The artifact, its summary, what that must be about, the policy."""
    parser.add_argument("artifact", metavar="FILE|REF", help="a file, or without --summary an image")
    parser.add_argument(
        "--summary", metavar="FILE", help="what `--attest` wrote of a file; of an image it lies beside it"
    )
    parser.add_argument("--resource", required=True, metavar="URI", help="what it must be about")
    add_plain_http(parser)
    add_policy_arguments(parser)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 it stands in for verifying, 10 not, 1 the registry cannot be asked, so nothing is known.

    Raises:
        UsageError: no usable trust.yaml, or one by path in CI that is not the policy revision's; no name of an image.
        SelectionError: a file or an image that is not there.
        NotProven: the registry sends what is wrong.
    """
    from maestro.errors import ToolFailure
    from maestro.provenance.reasons import NotProven
    from maestro.provenance.summaries import judge_summaries
    from maestro.provenance.verify import UNANSWERED

    name = arguments.artifact
    decides = decided_by(arguments, world)
    if arguments.summary is not None:
        sha256, evidence = _of_file(arguments, world)
    else:
        sha256, evidence = _of_image(arguments, world, decides)
    said = judge_summaries(
        evidence,
        decides.policy,
        decides.believed,
        decides=decides.decided_by(with_config=True),
        sha256=sha256,
        resource=arguments.resource,
        now=world.now(),
    )
    if arguments.format == "terminal":
        colour = world.colour(world.stderr)
        world.stderr.write(_text(name, said, policy=decides.said, colour=colour))
    elif arguments.format == "json":
        world.stdout.write(_json(name, sha256, arguments.resource, said, policy=decides.said))
    else:
        world.stdout.write(_markdown(name, said, policy=decides.said))
    if not isinstance(said, NotProven):
        return 0
    return ToolFailure.exit_code if said.code == UNANSWERED else said.exit_code


def _of_file(arguments: argparse.Namespace, world: World) -> tuple[str, list[Evidence]]:
    """A file's digest, and its summary."""
    from maestro.commands.files import read_named
    from maestro.commands.verify_blob import subject_of
    from maestro.evidence.strict_json import SIZE_LIMIT
    from maestro.provenance.verify import Evidence

    subject = subject_of(world.cwd, arguments.artifact, None)
    data = read_named(world.cwd / arguments.summary, arguments.summary, SIZE_LIMIT)
    return subject.sha256, [Evidence(arguments.summary, data)]


def _of_image(arguments: argparse.Namespace, world: World, decides: Decider) -> tuple[str, list[Evidence]]:
    """The digest that an image's name means now, and everything that lies beside it."""
    pinned, evidence = beside_image(
        arguments.artifact,
        world,
        decides.believed.keys,
        plain_http=arguments.plain_http,
        of_a_file="name its summary: --summary FILE",
    )
    return pinned.sha256 or "", evidence


def _verified(said: Summarised) -> str:
    by = f" by {' and '.join(said.decided_by)}" if said.decided_by else ""
    return f"verified at {said.when:%Y-%m-%dT%H:%M:%SZ}{by}, level {said.level}, says {said.entry.name}"


def _text(name: str, said: Summarised | NotProven, *, policy: str, colour: bool) -> str:
    from maestro.report.visible_text import visible, without_log_commands

    lines = [*_lines(name, said, colour=colour), f"by {visible(policy)}"]
    return without_log_commands("\n".join(lines) + "\n")


def _lines(name: str, said: Summarised | NotProven, *, colour: bool) -> Iterator[str]:
    from maestro.provenance.loosening import RED, loosened_lines, paint
    from maestro.provenance.reasons import NotProven
    from maestro.report.visible_text import visible

    if isinstance(said, NotProven):
        yield f"{paint('✘', RED, colour=colour)} {visible(name)} is not proven by it: {visible(said.message)}"
        yield f"    {said.code} (`maestro explain {said.code}`)"
        yield f"    → {said.remedy}"
        return
    yield f"{paint('✔', '32;1', colour=colour)} {visible(name)} was {visible(_verified(said))}"
    for one in (said.loosened(), _where_verified(said)):
        yield from loosened_lines(one, colour=colour)


def _where_verified(said: Summarised) -> Loosened:
    from maestro.provenance.loosening import Loosened

    return Loosened("where it was verified", said.given_up)


def _json(name: str, sha256: str, resource: str, said: Summarised | NotProven, *, policy: str) -> str:
    from maestro.provenance.reasons import NotProven

    value: dict[str, object] = {
        "schema": SCHEMA,
        "policy": policy,
        "name": name,
        "sha256": sha256,
        "resource": resource,
    }
    if isinstance(said, NotProven):
        value |= {"proven": False, "reason": said.code, "message": said.message, "remedy": said.remedy}
    else:
        value |= {
            "proven": True,
            "reason": None,
            "message": None,
            "remedy": None,
            "entry": said.entry.name,
            "verified_at": said.when.isoformat(),
            "decided_by": list(said.decided_by),
            "level": said.level,
            "loosened": list(said.loosened().fields),
            "loosened_where_verified": list(said.given_up),
        }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _markdown(name: str, said: Summarised | NotProven, *, policy: str) -> str:
    from maestro.provenance.loosening import markdown_row, markdown_table
    from maestro.provenance.reasons import NotProven
    from maestro.report.markdown import code

    if isinstance(said, NotProven):
        row = markdown_row("❌", name, f"{said.code}: {said.message}", ())
    else:
        row = markdown_row("✅", name, _verified(said), (said.loosened(), _where_verified(said)))
    good = not isinstance(said, NotProven)
    title = "Verified before" if good else "Not proven by its summary"
    return markdown_table(title, "artifact", [row], f"By {code(policy)}.", good=good)
