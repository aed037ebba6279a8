"""The commands of docs/guides/run.md, typed one after the other in a scratch repository."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT, fences
from tests.docs.scratch import Scratch

GUIDE = (ROOT / "docs/guides/run.md").read_text("utf-8")


def _blocks(words: str) -> list[str]:
    return [content for language, content, _ in fences(GUIDE) if language == "sh" and words in content]


def test_its_key_signs_and_its_glass_breaks_and_is_closed(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    (making,) = _blocks("openssl genpkey")
    (approving,) = _blocks("maestro approve")
    (breaking,) = _blocks("maestro run nightly-report --break-glass")
    (closing,) = _blocks("maestro waive")
    listing = next(content for language, content, _ in fences(GUIDE) if language == "yaml" and "keys:" in content)
    scratch.run(f"( {making} ) | sed -n '/BEGIN/,$p' | sed 's/^/      /' > ../public")
    public = (tmp_path / "public").read_text()
    assert "ledger:" in (scratch.repository / "maestro.yaml").read_text()
    rows = re.sub(r" +-----BEGIN.*END PUBLIC KEY-----\n", public, listing.split("ledger:")[0], flags=re.DOTALL)
    scratch.run(f"cat >> maestro.yaml <<'END'\n{rows}break_glass: {{approvals: 2}}\nEND")
    for who in ("alice", "bob"):
        scratch.run(f"ssh-keygen -q -t ed25519 -N '' -C '' -f ~/{who}")
        scratch.run(f'echo "{who}@acme.example,@acme/data $(cat ~/{who}.pub)" >> policy/allowed_signers')
    # What the guide's manifest asks for is on nobody's PATH: give it something to run, on a pool that is drained.
    scratch.run("sed -i 's/command: .*/command: [echo, report]/' manifests/nightly-report.yaml")
    scratch.run(
        "for pool in pools/*.yaml; do echo '  drained: true' >> $pool; done; git add -A && git commit -qm 'Drain'"
    )
    scratch.environ["MAESTRO_SIGNING_KEY_FILE"] = str(tmp_path / "maestro-key.pem")
    scratch.run("maestro run nightly-report && exit 1 || test $? = 10")
    for who in ("alice", "bob"):
        scratch.run(f"mv $({approving.strip()} --yes --key ~/{who}) {who}.json")
    scratch.run(breaking)
    scratch.run("maestro receipts verify && exit 1 || test $? = 10")
    scratch.run('test -z "$(git status --porcelain .maestro)"')
    scratch.run(closing.replace("RUN-ID", "$(ls .maestro/ledger/runs | grep ^glass-)"))
    scratch.run("git add waivers && git commit -qm 'Explain' && maestro receipts verify")
