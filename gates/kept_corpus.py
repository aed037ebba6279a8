"""The inputs that the ledger keeps, as a corpus: what was decided after merges and at executions, asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from gates.decision_diff import Recordings
from maestro.canonical_json import digest_of_bytes
from maestro.config import Config
from maestro.evidence.trust import trust_of
from maestro.world import World
from policy.kept_inputs import name_of
from runner.looking import looked_at
from runner.remembered import remembered


class KeptCorpus(NamedTuple):
    """``recordings`` can be asked. ``gone``: inputs that decisions cite and nobody has any more, erased or altered."""

    recordings: Recordings
    gone: int


def kept_corpus(world: World, config: Config, root: Path, folder: Path) -> KeptCorpus:
    """Write what the believed decisions of the ledger were about into ``folder``, each input once for each pack.

    Args:
        world: from where the ledger is reached.
        config: maestro.yaml of the policy revision.
        root: the repository.
        folder: where the file may lie for as long as it is asked.

    Raises:
        ToolFailure: the ledger cannot be read.
    """
    decisions = remembered(config.ledger, trust_of(config.keys), world, root).decisions
    wanted = dict.fromkeys((one.pack, one.input_digest) for one in decisions if one.input_digest)
    file, gone = folder / "kept.jsonl", 0
    with looked_at(None, config.ledger, world, root) as (store, _), file.open("wb") as lines:
        there = store.now()
        there.prefetch(name_of(digest) for _, digest in wanted)
        for pack, digest in wanted:
            found = there.read(name_of(digest))
            if found is None or digest_of_bytes(found.data) != digest:
                gone += 1
                continue
            lines.write(b'{"pack":' + json.dumps(pack).encode() + b',"input":' + found.data + b"}\n")
    return KeptCorpus(Recordings("the ledger", file), gone)
