"""conftest as an engine: a generated adapter asks for the values of entrypoints, one process answers many inputs.

Inputs travel as data (conftest's parsers would make numbers doubles), under a random name that no pack can know; the
adapter's package has the same random name, so no pack can answer in its place. The process runs in a private folder
outside of any checkout, with an environment of our own. It has no time limit of its own and one input can spoil its
whole output: it is killed, and the inputs are halved until only the culprits are without an answer.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maestro import canonical_json
from maestro.errors import ToolFailure
from maestro.process import OutputTooLarge, ProcessMissing, ProcessTimeout, run
from policy.engines import capabilities
from policy.engines.conftest_output import Failure, read_answers, read_failure
from policy.engines.engine import Answer, Broken, Program, Values

_LIMITED = 'ulimit -v "$1" 2>/dev/null; shift; exec "$@"'


@dataclass(frozen=True)
class Limits:
    """Seconds and counts that bound one evaluation."""

    base_seconds: float = 5.0
    """For a process, however few the inputs."""
    seconds_per_input: float = 0.02
    chunk: int = 2000
    """Inputs for one process at most."""
    split: int = 500
    """From this many inputs on, two processes share the work."""
    culprits: int = 32
    """So many inputs are found out one by one; beyond it, what has no answer stays without."""
    search_seconds: float = 60.0
    """After the first failure, so long are culprits looked for."""
    output_bytes: int = 256 << 20
    memory_kib: int = 4 << 20
    """Address space of a process. 1,000 inputs of 3.4 KB and 100 rules need 180 MB of it resident."""


@dataclass(frozen=True)
class ConftestEngine:
    """See ``policy.engines.engine.Engine``. ``opa``: the version of the embedded OPA."""

    program: Path
    conftest: str
    opa: str
    limits: Limits = field(default_factory=Limits)
    name: str = "conftest"

    @property
    def version(self) -> str:
        """conftest's own version (a source build calls itself dev) and the embedded OPA's."""
        return f"conftest {self.conftest}, OPA {self.opa}"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input. A process per 2,000 inputs, two at a time."""
        if not inputs:
            return []
        texts: list[bytes | None] = []
        answers: list[Answer | None] = []
        for value in inputs:
            try:
                texts.append(canonical_json.dumps(value))
                answers.append(None)
            except ValueError as error:
                texts.append(None)
                answers.append(Broken(f"the input cannot be handed over: {error}", "unsupported"))
        with tempfile.TemporaryDirectory(prefix="maestro-rego-") as folder:
            asking = _Asking(self, program, Path(folder), texts, answers)
            asking.all()
        return [answer or Broken("it was never asked", "missing") for answer in answers]


@dataclass
class _Asking:
    """One evaluation: fills ``answers``. Chunks may run in threads; each touches only its own indices."""

    engine: ConftestEngine
    program: Program
    folder: Path
    texts: list[bytes | None]
    answers: list[Answer | None]
    culprits: int = 0
    search_ends: float | None = None
    names: dict[str, str] = field(default_factory=dict)

    def all(self) -> None:
        self._write_program()
        wanted = [index for index, text in enumerate(self.texts) if text is not None]
        limits = self.engine.limits
        parts = max(-(-len(wanted) // limits.chunk), 2 if len(wanted) >= limits.split else 1)
        size = -(-len(wanted) // parts) or 1
        chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        if len(chunks) == 1:
            self.settle(chunks[0])
            return
        from concurrent.futures import ThreadPoolExecutor  # brings logging along; most questions are one chunk

        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self.settle, chunks))

    def _write_program(self) -> None:
        pack = self.folder / "pack"
        pack.mkdir()
        for number, name in enumerate(sorted(self.program.modules)):
            (pack / f"m{number}.rego").write_bytes(self.program.modules[name])
            self.names[f"pack/m{number}.rego"] = name
        (self.folder / "data").mkdir()
        for number, name in enumerate(sorted(self.program.data)):
            (self.folder / "data" / f"d{number}.json").write_bytes(self.program.data[name])
        (self.folder / "capabilities.json").write_bytes(capabilities.shipped())
        (self.folder / "settings.toml").write_bytes(b"")
        (self.folder / "empty.json").write_bytes(b"{}")

    def settle(self, indices: list[int]) -> None:
        """Answer these inputs: all at once, or halved until the culprits stand alone."""
        pending = [indices]
        while pending:
            part = pending.pop()
            outcome = self._ask(part)
            if not isinstance(outcome, Failure):
                for index, values in zip(part, outcome, strict=True):
                    self.answers[index] = values
            elif outcome.whole:
                for index in part:
                    self.answers[index] = _broken(outcome)
            elif len(part) == 1:
                self.culprits += 1
                self.answers[part[0]] = _broken(outcome)
            elif self._gives_up(part, outcome):
                continue
            else:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]

    def _gives_up(self, part: list[int], outcome: Failure) -> bool:
        """Whether looking for culprits ends here; then everything in ``part`` is without an answer."""
        now = time.monotonic()
        if self.search_ends is None:
            self.search_ends = now + self.engine.limits.search_seconds
            if outcome.kind in ("timeout", "memory") and len(part) > 4 and self._everything_fails(part, outcome.kind):
                self._without_answer(part, outcome, "the first and the last input alone did the same")
                return True
        if now > self.search_ends:
            self._without_answer(part, outcome, "there was no time to ask them one by one")
            return True
        if self.culprits >= self.engine.limits.culprits:
            self._without_answer(part, outcome, f"{self.culprits} inputs before it had errors as well")
            return True
        return False

    def _everything_fails(self, part: list[int], kind: str) -> bool:
        for index in (part[0], part[-1]):
            alone = self._ask([index])
            if not isinstance(alone, Failure) or alone.kind != kind:
                return False
        return True

    def _without_answer(self, part: list[int], outcome: Failure, why: str) -> None:
        for index in part:
            message = f"one of {len(part)} inputs asked together had: {outcome.message} ({why})"
            self.answers[index] = Broken(message, outcome.kind, _remedy(outcome))

    def _ask(self, indices: list[int]) -> list[Values] | Failure:
        """One process for these inputs."""
        nonce = secrets.token_hex(16)
        place = self.folder / nonce
        place.mkdir()
        texts = [text for index in indices if (text := self.texts[index]) is not None]
        (place / "inputs.json").write_bytes(b'{"maestro_inputs_%s":[' % nonce.encode() + b",".join(texts) + b"]}")
        (place / "adapter.rego").write_text(adapter(nonce, self.program.entrypoints), encoding="utf-8")
        limits = self.engine.limits
        seconds = limits.base_seconds + limits.seconds_per_input * len(indices)
        try:
            done = run(
                self._command(nonce),
                timeout=seconds,
                env=environment(self.folder),
                cwd=self.folder,
                output_limit=limits.output_bytes,
            )
        except ProcessTimeout:
            return Failure(f"the evaluation did not end within {seconds:g} s", "timeout")
        except OutputTooLarge:
            return Failure("the results are larger than can be held", "memory")
        except ProcessMissing as error:
            return Failure(error.message, "crash", whole=True)
        if not done.stdout.strip():
            return read_failure(done.stderr, done.returncode, self.names)
        if done.returncode not in (0, 1):
            return read_failure(done.stderr, done.returncode, self.names)
        return read_answers(done.stdout, f"maestro_adapter_{nonce}", len(indices), len(self.program.entrypoints))

    def _command(self, nonce: str) -> list[str]:
        argv = [str(self.engine.program), "test", "--config-file", "settings.toml", "--parser", "json"]
        argv += ["--output", "json", "--no-color", "--namespace", f"maestro_adapter_{nonce}"]
        argv += ["--capabilities", "capabilities.json", "--rego-version", self.program.rego_version]
        argv += ["--policy", "pack", "--policy", f"{nonce}/adapter.rego", "--data", f"{nonce}/inputs.json"]
        for number in range(len(self.program.data)):
            argv += ["--data", f"data/d{number}.json"]
        if self.program.strict_builtin_errors:
            argv.append("--show-builtin-errors")
        return limited([*argv, "empty.json"], self.engine.limits.memory_kib)


def adapter(nonce: str, entrypoints: Sequence[str]) -> str:
    """The module that hands the values through conftest: one message holding the JSON of everything asked.

    A comprehension makes undefined explicit: ``[]`` is undefined, ``[v]`` is v.
    """
    values = ", ".join(f"[x | x := {entrypoint}]" for entrypoint in entrypoints)
    return f"""package maestro_adapter_{nonce}

import rego.v1

violation contains json.marshal([[id, values] |
	some id, doc in data.maestro_inputs_{nonce}
	values := [{values}] with input as doc
])
"""


def limited(argv: Sequence[str], memory_kib: int) -> list[str]:
    """The command that runs another with at most so much address space."""
    return ["/bin/sh", "-c", _LIMITED, "sh", str(memory_kib), *argv]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: conftest reads CONFTEST_* and plugins from HOME, OPA tells packs the rest. Few threads and one
    malloc arena, because each reserves address space that the memory limit counts."""
    home = str(folder)
    threads = str(min(4, os.cpu_count() or 1))
    return {
        "HOME": home,
        "TMPDIR": home,
        "XDG_DATA_HOME": home,
        "XDG_CONFIG_HOME": home,
        "PATH": "",
        "GOGC": "200",
        "GOMAXPROCS": threads,
        "MALLOC_ARENA_MAX": "1",
    }


def _broken(failure: Failure) -> Broken:
    return Broken(failure.message, failure.kind, _remedy(failure))


def _remedy(failure: Failure) -> str | None:
    if failure.kind == "compile" and "undefined function" in failure.message:
        return (
            "correct the name; functions that ask the network, the environment, the clock or chance (http.send, "
            "net.lookup_ip_addr, opa.runtime, time.now_ns, rand.intn) are not available: the same input must give the "
            "same decision tomorrow, so let the value come with the input or as data"
        )
    return {
        "builtin": "guard the call, or set `custom.builtin_errors: undefined` in the pack to get OPA's default",
        "conflict": "let the rule have one value for this input",
        "timeout": "make the rule cheaper: it must end for every input",
        "memory": "make the rule cheaper: it builds too much for this input",
        "compile": "correct the pack: `opa check --strict` on its folder shows the same",
    }.get(failure.kind)


def probe(program: Path) -> tuple[str, str]:
    """(conftest's version, the embedded OPA's) of a binary.

    Raises:
        ToolFailure: it cannot be run, or does not say.
    """
    from policy.engines.conftest_output import embedded_opa

    with tempfile.TemporaryDirectory(prefix="maestro-rego-") as folder:
        done = run([os.fspath(program), "--version"], timeout=10, env=environment(Path(folder)), cwd=Path(folder))
    found = embedded_opa(done.stdout)
    if done.returncode or found is None:
        raise ToolFailure(
            f"{program} does not say which version it is (exit code {done.returncode})",
            remedy="build conftest with `make tools` and put .tools/bin first on PATH",
        )
    return found
