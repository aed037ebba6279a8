"""Change sound files at random and see what our parsers make of them.

``python -m tests.fuzz --minutes 10 [--seed N] [--target NAME] [--keep DIR]``: the files that were answered otherwise
than with a clean refusal, or the same meaning, are kept in DIR.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import run
from tests.fuzz.targets import targets


def main() -> None:
    """Exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--target", action="append", help="only those with this in their name")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        chosen = [
            one
            for one in targets(Path(scratch))
            if not arguments.target or any(part in one.name for part in arguments.target)
        ]
        outcomes = run(chosen, seed, seconds=arguments.minutes * 60, rounds=10**9)
    for name, outcome in outcomes.items():
        print(
            f"{name:45}  {outcome.tried:7,} tried  {outcome.refused:7,} refused  {outcome.accepted:6,} accepted"
            f"  slowest {outcome.slowest:.2f} s  {outcome.times.total()} wrong"
        )
    number = 0
    for name, outcome in outcomes.items():
        for where, (data, words) in outcome.found.items():
            number += 1
            print(f"\n{name}: {where} ({outcome.times[where]} times)\n{words}")
            if arguments.keep is not None:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{number}").write_bytes(data)
                print(f"kept as {arguments.keep / str(number)}")
    tried = sum(one.tried for one in outcomes.values())
    print(f"\n{tried:,} files, {len(outcomes)} parsers, seed {seed}: {number} findings")
    sys.exit(1 if number else 0)


if __name__ == "__main__":
    main()
