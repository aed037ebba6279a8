"""in-toto's own judgement, in a process of its own: ``python -I -m maestro.chain.judge FOLDER``.

FOLDER holds what ``reading`` let through: ``layout``, ``links/``, ``owners/*.pub``. What it writes is one line of JSON:
``{"products": {path: sha256}}`` of the last step, or ``{"error": class, "message"}``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path) -> dict[str, object]:
    """Ask in-toto."""
    from in_toto.exceptions import RuleVerificationError
    from in_toto.models._signer import load_public_key_from_file
    from in_toto.models.metadata import Metadata
    from in_toto.verifylib import RULE_TRACE, in_toto_verify

    try:
        owners = [load_public_key_from_file(str(path)) for path in sorted((folder / "owners").iterdir())]
        summary = in_toto_verify(
            Metadata.load(str(folder / "layout")),
            {key["keyid"]: key for key in owners},
            link_dir_path=str(folder / "links"),
            persist_inspection_links=False,
        )
    except Exception as error:
        said = " ".join(str(error).partition("Full trace")[0].split())
        if isinstance(error, RuleVerificationError):
            # It names the file, but not of which step; what it lists besides can be thousands of names.
            said = f"the {RULE_TRACE['source_type']} of {RULE_TRACE['source_name']}: {said.partition(' in: ')[0]}"
        return {"error": type(error).__name__, "message": said[:500]}
    return {"products": {name: digests["sha256"] for name, digests in summary.products.items()}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
