"""``maestro doctor``: what is installed, which engine will judge, what is missing, whether the check binds."""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gates.binding import required, uncovered
from gates.governed.question import TRUST, trust_policy_of
from maestro import __version__, codeowners
from maestro.errors import MaestroError
from maestro.git_command import Git
from maestro.process import find_program
from maestro.process import run as run_program
from maestro.report.staged import mode_words
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.world import World
from policy.engines.choose import HOW_TO_LOCK, choose, trusted_conftest
from policy.engines.known_bad import TESTED_REGOPY
from policy.engines.proven import program_digest, regopy_version
from policy.parity.lock import ABSENT, LOCK_PATH, lock_at
from policy.preflight.program import Objection
from policy.preflight.program import read as preflight

if TYPE_CHECKING:
    from maestro.config import Config
    from maestro.snapshot import Snapshot
    from policy.pack import Pack

State = Literal["ok", "advice", "missing"]
_MARKS: dict[State, str] = {"ok": " ", "advice": "!", "missing": "✗"}
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
_TIMEOUT_SECONDS = 20
OPTIONAL = (
    ("opa", ("version",), "runs the tests of packs (`opa test`): https://www.openpolicyagent.org/docs"),
    ("cosign", ("version",), "checks receipts without Maestro: https://docs.sigstore.dev"),
    ("ssh-keygen", None, "signs and verifies approvals (`maestro approve`): the package openssh-client"),
)


@dataclass(frozen=True)
class Line:
    """What was found about one thing; ``missing`` alone keeps checks from being made."""

    name: str
    state: State
    text: str
    remedy: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--repo", default=".", metavar="DIR", help="the governed repository (default: this folder)")
    parser.add_argument("--github", action="store_true", help="ask GitHub what it requires of the default branch")


def run(arguments: argparse.Namespace, world: World) -> int:
    """Look at everything, say it, answer 0 when judging is possible."""
    lines = [*_tool(world), *_programs(world), *_engines(world), *_proxy(world)]
    lines += _repository(world.cwd / arguments.repo, world, ask_github=arguments.github)
    width = max(len(line.name) for line in lines)
    for line in lines:
        world.stdout.write(f"{_MARKS[line.state]} {line.name:<{width}}  {line.text}\n")
        if line.remedy:
            world.stdout.write(f"  {'':<{width}}  → {line.remedy}\n")
    able = not any(line.state == "missing" for line in lines)
    world.stdout.write("\nready to judge\n" if able else "\nnot able to judge: see the lines with ✗\n")
    return 0 if able else 1


def _tool(world: World) -> Iterator[Line]:
    ours = Path(sys.executable).parent / "maestro"
    yield Line("maestro", "ok", f"{__version__}, Python {platform.python_version()} in {sys.prefix}")
    first = find_program("maestro", world.environ)
    if first is not None and ours.exists() and first.resolve() != ours.resolve():
        advice = f"call this one by its other name, maestro-conductor, or put {ours.parent} first"
        yield Line("PATH", "advice", f"another program called maestro comes first: {first}", advice)


def _programs(world: World) -> Iterator[Line]:
    try:
        git = Git(world.cwd, world.environ)
        yield Line("git", "ok", _version_in(git.output("version")) or "of unknown version")
    except MaestroError as error:
        yield Line("git", "missing", error.message, error.remedy)
    for name, arguments, purpose in OPTIONAL:
        program = find_program(name, world.environ)
        if program is None:
            yield Line(name, "ok", f"not installed; {purpose}")
            continue
        version = _version_of(program, arguments, world) if arguments else None
        yield Line(name, "ok", f"{version}, {program}" if version else str(program))


def _proxy(world: World) -> Iterator[Line]:
    from maestro.oci.proxies import VARIABLE, proxy_of

    try:
        proxy = proxy_of(world.environ)
    except MaestroError as error:
        yield Line("proxy", "advice", error.message, error.remedy)
        return
    if proxy is not None:
        except_for = world.environ.get("NO_PROXY") or world.environ.get("no_proxy")
        but = f", except for this machine and {visible(except_for)}" if except_for else ", except for this machine"
        yield Line("proxy", "ok", f"registries are asked through {proxy.address} ({VARIABLE}){but}")


def _version_of(program: Path, arguments: tuple[str, ...], world: World) -> str | None:
    env = {name: world.environ[name] for name in ("PATH", "HOME") if name in world.environ}
    try:
        done = run_program([str(program), *arguments], timeout=_TIMEOUT_SECONDS, env=env, output_limit=1 << 20)
    except MaestroError as error:
        return f"does not run ({error.message})"
    return _version_in(done.stdout) or _version_in(done.stderr)


def _version_in(output: bytes) -> str | None:
    found = _VERSION.search(output.decode("utf-8", "replace"))
    return found[0] if found else None


def _engines(world: World) -> Iterator[Line]:
    try:
        conftest = trusted_conftest(world.environ)
        yield Line("conftest", "ok", f"{conftest.version}, {conftest.program}")
    except MaestroError as error:
        yield Line("conftest", "advice", error.message, error.remedy)
    try:
        yield _embedded(regopy_version())
    except PackageNotFoundError:
        yield Line("regopy", "missing", "not installed, though Maestro needs it", "install Maestro again")
        return
    engine = choose("auto", world.environ, lambda: ABSENT)
    limits = "" if engine.name == "conftest" else f": only packs that {LOCK_PATH} names"
    yield Line("engine", "ok", f"{engine.version} judges{limits}")


def _repository(folder: Path, world: World, *, ask_github: bool) -> Iterator[Line]:
    """What holds for the governed repository: its settings, its packs, who must agree to a change of them."""
    try:
        with Repository.open(folder, world.environ) as repository:
            branch = repository.default_branch_rev(None)
            files = repository.snapshot(branch) if branch else repository.worktree()
            if "maestro.yaml" not in files.entries:
                files = repository.worktree()
            if "maestro.yaml" not in files.entries:
                yield Line("repository", "advice", f"{repository.root} is not governed yet", "run `maestro init`")
                return
            yield from _governed(files, repository.root, world)
            remote = Git(repository.root, world.environ).run("config", "--get", "remote.origin.url").stdout.decode()
    except MaestroError as error:
        yield Line("repository", "advice", error.message, error.remedy)
        return
    yield from _github(world, remote, (branch or "main").removeprefix("origin/"), ask=ask_github)


def _governed(files: Snapshot, root: Path, world: World) -> Iterator[Line]:
    from maestro.config import load_config
    from policy.bundle.door import BundleDoor
    from policy.pack import load_packs

    try:
        config = load_config("maestro.yaml", files.read("maestro.yaml"))
    except MaestroError as error:
        text = f"{error.where}: {error.message}" if error.where else error.message
        yield Line("maestro.yaml", "missing", text, error.remedy)
        return
    packs = load_packs(files, config, BundleDoor(root, world.now(), world.environ)).on(
        world.now().astimezone(dt.UTC).date()
    )
    told = [f"{pack.name} ({mode_words(pack.mode, pack.hardens)})" for pack in packs.packs]
    yield Line("packs", "ok", ", ".join(told) or "none")
    for problem in packs.problems:
        place = f"{problem.location.path}:{problem.location.line}"
        yield Line("packs", "advice", f"{place}: {problem.message}", problem.remedy or problem.rule.remedy)
    yield from _locked(files, packs.packs, world)
    yield from _preflight(packs.packs)
    yield from _trust(files, world)
    yield _owned(files, config, packs.packs)
    yield _keys(config, world)


def _trust(files: Snapshot, world: World) -> Iterator[Line]:
    """Whether trust.yaml can prove anything: its roots, its keys, and what it loosens."""
    if TRUST not in files.entries:
        return
    from maestro.provenance.health import remarks
    from maestro.provenance.trust_policy import load_trust_policy

    def read(path: str) -> bytes | None:
        return files.read(path) if path in files.entries and files.entries[path].is_file else None

    try:
        policy = load_trust_policy(TRUST, read(TRUST) or b"")
    except MaestroError as error:
        text = f"{error.where}: {error.message}" if error.where else error.message
        yield Line("trust", "advice", f"nobody is believed: {text}", error.remedy)
        return
    yield Line("trust", "ok", f"{TRUST} is about {', '.join(one.name for one in policy.artifacts) or 'no artifact'}")
    for remark in remarks(policy, read, world.now()):
        yield Line("trust", "advice" if remark.remedy else "ok", remark.text, remark.remedy)


def _keys(config: Config, world: World) -> Line:
    """Whether `maestro run` could sign receipts that anybody believes."""
    from maestro.evidence.trust import trust_of

    try:
        keys = trust_of(config.keys).keys.values()
    except MaestroError as error:
        return Line("keys", "advice", error.message, error.remedy)
    if not keys:
        return Line(
            "keys", "ok", "none in maestro.yaml: `maestro run` starts nothing, its receipts would prove nothing"
        )
    valid = [key.id for key in keys if key.objection(world.now()) is None]
    if not valid:
        objections = "; ".join(filter(None, (key.objection(world.now()) for key in keys)))
        return Line("keys", "advice", f"`maestro run` starts nothing: {objections}", "list a key that is valid now")
    return Line("keys", "ok", f"receipts signed by {', '.join(valid)} are believed")


def _locked(files: Snapshot, packs: tuple[Pack, ...], world: World) -> Iterator[Line]:
    """What regopy may judge here, and whether the lock that says so is about the packs as they are."""
    from policy.parity.inputs import METHOD, digest_of, inputs_of

    lock = lock_at(files)
    alone = choose("auto", world.environ, lambda: lock).name != "conftest"
    objections = {pack.name: lock.objection(pack.program()) for pack in packs}
    judged = [name for name, objection in objections.items() if objection is None]
    rest = {name: objection for name, objection in objections.items() if objection is not None}
    if lock.there or alone:
        yield Line("embedded", "ok", f"regopy may judge {', '.join(judged) or 'no pack'} where no conftest is")
    if rest and alone:
        text = f"{', '.join(rest)}: without a sound conftest these are reported as errored, which blocks"
        said = "; ".join(dict.fromkeys(filter(None, rest.values())))
        yield Line("packs", "missing", f"{text} ({said})", f"get conftest as said above, or {HOW_TO_LOCK}")
    if not lock.there:
        return
    stale = [
        pack.name
        for pack in packs
        if (entry := lock.packs.get(pack.name)) is None
        or entry.program != program_digest(pack.program())
        or entry.inputs != digest_of(inputs_of(files, pack))
    ]
    stale += sorted(lock.packs.keys() - {pack.name for pack in packs})
    if lock.problem is not None or lock.regopy != regopy_version() or lock.method != METHOD:
        why = lock.problem or f"it was made with regopy {lock.regopy} by method {lock.method}"
        yield Line("parity", "advice", f"{LOCK_PATH} is of no use here: {why}", "run `maestro policy parity --write`")
    elif stale:
        text = f"{LOCK_PATH} is not about what is here now: {', '.join(stale)}"
        yield Line("parity", "advice", text, "run `maestro policy parity --write`")


def _embedded(version: str) -> Line:
    """regopy judges in the one version that was tested against OPA."""
    if version == TESTED_REGOPY:
        return Line("regopy", "ok", version)
    text = f"{version} was never tested against OPA, so it judges nothing; {TESTED_REGOPY} was"
    return Line("regopy", "advice", text, f"pip install regopy=={TESTED_REGOPY}")


def _preflight(packs: tuple[Pack, ...]) -> Iterator[Line]:
    """The first place that keeps the embedded engine from a pack, and what to write instead. Nothing is wrong with a
    pack that it cannot read."""
    for pack in packs:
        found = preflight(pack.program())
        if isinstance(found, Objection):
            place = f"{pack.path}/{found.file.rsplit('/', 1)[-1]}:{found.line}:{found.column}"
            said = f"regopy cannot read {pack.name}: {place}: {found.message}"
            yield Line("embedded", "ok", said, found.instead or None)


def _owned(files: Snapshot, config: Config, packs: tuple[Pack, ...]) -> Line:
    """Whether CODEOWNERS covers everything that decides, new files included."""
    where = next((path for path in codeowners.LOCATIONS if path in files.entries), codeowners.LOCATIONS[0])
    owned = codeowners.parse(files.read(where)) if where in files.entries else codeowners.Codeowners()
    deciding = deciding_paths(config, packs, where)
    policy = trust_policy_of(files)
    if TRUST in files.entries:
        deciding |= {path: path for path in (TRUST, *(root.path for root in (policy.roots if policy else ())))}
    open_paths = uncovered(owned, deciding.values())
    if open_paths:
        names = ", ".join(name for name, path in deciding.items() if path in open_paths)
        text = f"the check is advice: a pull request may change {names} without any owner's agreement"
        return Line("binds", "advice", text, f"give them owners in {where}, and require review from code owners")
    return Line("binds", "ok", f"{where} covers what decides; it binds where review from code owners is required")


def deciding_paths(config: Config, packs: tuple[Pack, ...], where: str) -> dict[str, str]:
    """Everything that decides, as it is called, to a path that stands for it: in a folder, a file to be added."""
    folders = [".github/workflows/", *(f"{pack.path}/" for pack in packs)]
    folders += [pattern.split("*")[0] for pattern in config.documents if "waivers" in pattern]
    files = [where, "maestro.yaml", ".github/workflows/maestro.yml", config.allowed_signers, LOCK_PATH]
    return {file: file for file in files} | {folder: f"{folder}another.yaml" for folder in folders}


def _github(world: World, remote: str, branch: str, *, ask: bool) -> Iterator[Line]:
    from gates.github_rules import branch_rules, repository_of

    name = world.environ.get("GITHUB_REPOSITORY") or repository_of(remote)
    if not ask or name is None:
        if ask:
            why = "the remote `origin` is not on github.com" if remote else "there is no remote `origin`"
            yield Line("GitHub", "advice", f"{why}, so nobody was asked", "set GITHUB_REPOSITORY=OWNER/REPO to ask")
        return
    yield from _required(name, branch, lambda: required(branch_rules(world.environ, name, branch)))


def _required(name: str, branch: str, ask: Callable[[], tuple[bool, tuple[str, ...]]]) -> Iterator[Line]:
    try:
        binds, missing = ask()
    except MaestroError as error:
        yield Line("GitHub", "advice", error.message, error.remedy)
        return
    if binds:
        yield Line("GitHub", "ok", f"the rules of {branch} in {name} require the check")
        return
    yield Line(
        "GitHub",
        "advice",
        f"in {name} the check of {branch} is advice: {'; '.join(missing)}",
        "Settings → Rules → Rulesets (older branch protection is not visible here)",
    )
