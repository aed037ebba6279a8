from __future__ import annotations

from pathlib import Path

from tests.gates.governed import FLAG, SETTINGS, check, governed

ACTIONS = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_ACTION_REPOSITORY": "acme/maestro-conductor",
    "GITHUB_ACTION_REF": "v0.1.0",
    "GITHUB_REPOSITORY": "acme/platform",
}
PACK = 'package acme.flags\n\ndeny_always contains "no" if true\n'
META = "# METADATA\n# custom: {input: flag-change, mode: warn}\n"


def test_a_gates_page_lies_where_the_action_came_from(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG.replace("@acme/checkout", "@acme/nobody"))
    [finding] = check(repo, environ=ACTIONS).findings()
    assert finding["docs"] == (
        "https://github.example/acme/maestro-conductor/blob/v0.1.0/docs/gates/flags.md#mcflagsowner_unresolved"
    )


def test_without_the_environment_nothing_is_guessed(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG.replace("@acme/checkout", "@acme/nobody"))
    hostile = ACTIONS | {"GITHUB_ACTION_REPOSITORY": "acme/x) [click](http://evil.example"}
    for environ in ({}, {"GITHUB_SERVER_URL": "javascript:alert(1)"}, hostile):
        [finding] = check(repo, environ=environ).findings()
        assert finding["docs"] is None


def test_a_packs_page_lies_beside_it_at_the_policy_revision(tmp_path: Path) -> None:
    files = {
        "maestro.yaml": SETTINGS + "packs: [policy/packs/*]\n",
        "policy/packs/f/f.rego": META + PACK,
        "policy/packs/f/README.md": "# f\n\n## acme.flags/always\n",
    }
    repo = governed(tmp_path / "r", files)
    repo.write("flags/checkout.yaml", FLAG)
    from tests.support.tools import tool

    path = f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"
    [finding] = check(repo, environ=ACTIONS | {"PATH": path}).findings()
    main = repo.git("rev-parse", "main")
    assert finding["docs"] == (
        f"https://github.example/acme/platform/blob/{main}/policy/packs/f/README.md#acmeflagsalways"
    )
