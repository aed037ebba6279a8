"""The guide lists every reason of a refused chain, in the code's words."""

from __future__ import annotations

import re

from maestro.chain.reasons import REASONS
from tests.docs.pages import ROOT


def test_the_guide_has_every_code() -> None:
    page = (ROOT / "docs/guides/release.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `(chain/[a-z-]+)` \| [^|]+ \| ([^|]+) \|$", page, re.M)) == REASONS
