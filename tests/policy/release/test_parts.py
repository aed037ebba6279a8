"""Images as parts of a release, and what trust.yaml says that a release must consist of."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maestro.errors import UsageError
from policy.release.demands import names_version
from policy.release.document import load_release
from tests.maestro.oci.test_lying_registry import bundle
from tests.policy.release import auditor, releases
from tests.policy.release.releases import maestro
from tests.support.registries import INDEX, MANIFEST, LyingRegistry, Reply, descriptor
from tests.support.tools import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording

Found = dict[tuple[str, str], tuple[str, str | None]]


@pytest.fixture
def registry() -> Iterator[LyingRegistry]:
    server = LyingRegistry()
    yield server
    server.stop()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = releases.make(tmp_path / "repo")
    trust = (folder / "trust.yaml").read_text()
    releases.merge(folder, "trust.yaml", trust + releases.IMAGE_ENTRY)
    return folder


def image(repo: Path, server: LyingRegistry, tag: str = "v1", **run: str) -> str:
    """An attested image in the registry, by its digest."""
    made = server.image(tag, content=tag.encode())
    server.attach(bundle(made, releases.built(repo, **run)), made)
    return f"{server.address}/acme/api@sha256:{made}"


def name_images(repo: Path, *names: str) -> None:
    (repo / "release.yaml").write_text(releases.RELEASE + f"images: {json.dumps(names)}\n")


def ask(repo: Path) -> tuple[int, Found]:
    code, out, err = maestro(repo, "verify", "release", "--format", "json")
    said = json.loads(out) if out else {"parts": []}
    assert (code == 0) == bool(out and said["holds"]), out + err
    return code, {(part["kind"], part["name"]): (part["outcome"], part["reason"]) for part in said["parts"]}


def test_an_image_is_a_part(repo: Path, registry: LyingRegistry) -> None:
    name = image(repo, registry)
    name_images(repo, name)
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 0, out
    assert f"✔ image          {name}: github-artifact-attestations (level 3)\n" in out
    assert "5 of 5 parts hold" in out


def test_an_image_that_is_not_proven_stops_the_release(repo: Path, registry: LyingRegistry) -> None:
    good, evil = image(repo, registry), image(repo, registry, "evil", repository="acme/api-evil")
    bare = f"{registry.address}/acme/api@sha256:{registry.image('bare', content=b'bare')}"
    none = f"{registry.address}/acme/api@sha256:{'0' * 64}"
    name_images(repo, good, evil, bare, none)
    code, found = ask(repo)
    assert code == 10
    assert [found["image", name] for name in (good, evil, bare, none)] == [
        ("holds", None),
        ("refused", "verify/repository"),
        ("refused", "verify/image-unattested"),
        ("refused", "verify/image-missing"),
    ]


def test_what_cannot_be_asked_is_errored_and_the_worst_counts(repo: Path, registry: LyingRegistry) -> None:
    name = image(repo, registry)
    name_images(repo, name)
    registry.lie = lambda asked: Reply(429, {"Retry-After": "3600"})
    code, found = ask(repo)
    assert (code, found["image", name]) == (1, ("errored", "verify/image-unanswered"))
    code, out, _ = maestro(repo, "verify", "release")
    assert (code, f"? image          {name}: " in out) == (1, True), out
    assert "MAY NOT be released: 4 of 5 parts hold" in out
    (repo / "dist/api.tar.gz").write_bytes(b"another")
    assert ask(repo)[0] == 10


def test_an_index_with_a_refused_platform_is_refused_whatever_else_is_unknown(
    repo: Path, registry: LyingRegistry
) -> None:
    trust = (repo / "trust.yaml").read_text()
    releases.merge(repo, "trust.yaml", trust.replace('/acme/api"]', '/acme/api"]\n    of_an_index: platforms'))
    unknown, bare = registry.image(content=b"a"), registry.image(content=b"b")
    children = [
        descriptor(registry.manifests[f"sha256:{one}"][1], MANIFEST, platform={"os": "linux", "architecture": kind})
        for one, kind in ((unknown, "amd64"), (bare, "arm64"))
    ]
    index = registry.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
    name = f"{registry.address}/acme/api@sha256:{index}"
    name_images(repo, name)
    registry.lie = lambda asked: (
        Reply(429, {"Retry-After": "3600"}) if f"referrers/sha256:{unknown}" in asked.path else None
    )
    code, found = ask(repo)
    assert (code, found["image", name]) == (10, ("refused", "verify/image-unattested"))


def test_a_registry_that_sends_another_image(repo: Path, registry: LyingRegistry) -> None:
    name, other = image(repo, registry), image(repo, registry, "v2")
    name_images(repo, name)
    registry.manifests["sha256:" + name.partition("sha256:")[2]] = registry.manifests[
        "sha256:" + other.partition("sha256:")[2]
    ]
    assert ask(repo)[1]["image", name] == ("refused", "verify/image-digest")


@pytest.mark.parametrize("kind", ["tag", "twice", "no-registry"])
def test_images_are_named_once_by_their_digest(kind: str) -> None:
    digest = "@sha256:" + "0" * 64
    names = {
        "tag": [f"ghcr.io/acme/api:v1{digest}"],
        "twice": [f"ghcr.io/acme/api{digest}", f"GHCR.io/acme/api{digest}"],
        "no-registry": [f"acme/api{digest}"],
    }[kind]
    text = f"apiVersion: maestro-conductor/v1\nkind: Release\nname: a\nversion: '1'\nimages: {json.dumps(names)}\n"
    with pytest.raises(UsageError) as caught:
        load_release("release.yaml", text.encode())
    assert str(caught.value.where).startswith("release.yaml:5:")


@pytest.mark.parametrize(
    "more",
    [
        "artifacts: [{path: a, bundles: [b]}, {path: a, bundles: [c]}]",
        "policy_bundles: [a, a]",
        "verdicts: [a, a]",
        "receipts: {runs: [a, a], checkpoint: c}",
    ],
)
def test_a_part_named_twice_is_refused(more: str) -> None:
    text = f"apiVersion: maestro-conductor/v1\nkind: Release\nname: a\nversion: '1'\n{more}\n"
    with pytest.raises(UsageError, match="names what is named before it"):
        load_release("release.yaml", text.encode())


# What a release must consist of


def demand(repo: Path, text: str) -> None:
    releases.merge(repo, "trust.yaml", (repo / "trust.yaml").read_text() + "releases:\n" + text)


def test_a_release_that_names_fewer_parts_than_trust_yaml_asks_for(repo: Path, registry: LyingRegistry) -> None:
    name = image(repo, registry)
    demand(
        repo,
        '  - name: api\n    artifacts: ["dist/api*", "dist/sbom.json"]\n    images: ["127.0.0.1:*/acme/api"]\n'
        "    requires: [verdicts, receipts]\n",
    )
    name_images(repo, name)
    code, found = ask(repo)
    assert code == 10
    missing = {key for key, said in found.items() if said == ("refused", "release/part-missing")}
    assert missing == {("artifacts", "dist/sbom.json"), ("receipts", "-")}
    name_images(repo)
    assert ask(repo)[1]["images", "127.0.0.1:*/acme/api"] == ("refused", "release/part-missing")


def test_another_name_escapes_nothing(repo: Path) -> None:
    demand(repo, '  - {name: api, artifacts: ["dist/api*"]}\n')
    assert ask(repo)[0] == 0
    text = (repo / "release.yaml").read_text().replace("name: api", "name: api2")
    (repo / "release.yaml").write_text(text)
    code, found = ask(repo)
    assert (code, found["release", "api2"]) == (10, ("refused", "release/no-policy"))


def test_the_working_tree_demands_nothing(repo: Path) -> None:
    demand(repo, '  - {name: api, artifacts: ["dist/api*", "dist/sbom.json"]}\n')
    (repo / "trust.yaml").write_text((repo / "trust.yaml").read_text().replace(', "dist/sbom.json"', ""))
    assert ask(repo)[0] == 10


def test_where_nothing_is_demanded_nothing_goes_out(repo: Path) -> None:
    releases.merge(repo, "maestro.yaml", releases.config().replace("requires: [artifacts, chain]", "requires: []"))
    code, found = ask(repo)
    assert (code, found["release", "api"]) == (10, ("refused", "release/no-policy"))
    demand(repo, "  - {name: api, loosen: {any_parts: true}}\n")
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 0
    assert "loosened by trust.yaml (api): loosen.any_parts" in out


def test_a_trust_yaml_that_cannot_be_read_lets_nothing_out(repo: Path) -> None:
    """A policy bundle alone needs nobody that trust.yaml believes, but what a release needs stands there, too."""
    releases.merge(repo, "maestro.yaml", releases.config().replace("[artifacts, chain]", "[policy_bundles]"))
    head = "apiVersion: maestro-conductor/v1\nkind: Release\nname: api\nversion: '1'\n"
    (repo / "release.yaml").write_text(head + "policy_bundles: [dist/policy.tar.gz]\n")
    assert ask(repo)[0] == 0
    releases.merge(repo, "trust.yaml", "kind: [\n")
    code, found = ask(repo)
    assert (code, found["release", "api"]) == (10, ("refused", "release/unreadable"))


def test_a_release_cannot_call_itself_by_a_name_with_less_to_prove(repo: Path) -> None:
    demand(
        repo,
        '  - {name: api, artifacts: ["dist/api*"], requires: [chain, verdicts, receipts]}\n'
        '  - {name: policy, policy_bundles: ["dist/policy*"]}\n',
    )
    (repo / "release.yaml").write_text((repo / "release.yaml").read_text().replace("name: api", "name: policy"))
    code, found = ask(repo)
    assert (code, found["artifacts", "dist/api.tar.gz"]) == (10, ("refused", "release/other-release"))


def test_a_link_does_not_choose_the_entry_that_judges_a_file(repo: Path) -> None:
    (repo / "dist").rename(repo / "docs")
    (repo / "dist").symlink_to("docs")
    code, found = ask(repo)
    assert (code, found["artifact", "dist/api.tar.gz"]) == (10, ("refused", "release/unreadable"))


def test_parts_of_two_commits_are_no_release(repo: Path, registry: LyingRegistry) -> None:
    """An old image with good provenance beside a new file: each is proven, together they were never built."""
    name_images(repo, image(repo, registry, "old", commit="e" * 40))
    code, found = ask(repo)
    assert (code, found["release", "api"]) == (10, ("refused", "release/several-commits"))
    assert {said for (kind, _), said in found.items() if kind != "release"} == {("holds", None)}
    demand(repo, '  - {name: api, artifacts: ["dist/api*"], loosen: {several_commits: true}}\n')
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 0, out
    assert "loosened by trust.yaml (api): loosen.several_commits" in out
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 0
    summary = json.loads(base64.b64decode(json.loads((repo / "vsa").read_text())["dsseEnvelope"]["payload"]))
    assert "api: loosen.several_commits" in summary["predicate"]["urn:maestro-conductor:loosened"]


@pytest.mark.parametrize(("version", "same"), [("1.2.0", True), ("1.3.0", False), ("2.0", False), (".2.0", False)])
def test_an_old_release_under_a_new_version(repo: Path, version: str, same: bool) -> None:
    text = releases.RELEASE.replace("version: 1.2.0", f"version: '{version}'")
    (repo / "release.yaml").write_text(text)
    code, found = ask(repo)
    assert (code == 0) == same
    assert found.get(("release", "api")) == (None if same else ("refused", "release/other-version"))


@pytest.mark.parametrize("tag", ["v1.2.0", "1.2.0", "api-v1.2.0", "api/1.2.0"])
def test_a_tag_of_this_version(tag: str) -> None:
    assert names_version(tag, "1.2.0")


@pytest.mark.parametrize("tag", ["v11.2.0", "0.1.2.0", "rev1.2.0", "v1.2.0-rc1", "v1x2x0", "v1.2.0\n", ""])
def test_a_tag_of_another_version(tag: str) -> None:
    assert not names_version(tag, "1.2.0")


def test_anybody_may_sign_is_red(repo: Path, registry: LyingRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    from maestro.world import World

    trust = (repo / "trust.yaml").read_text()
    head, _, tail = trust.partition("  - name: image\n")
    match = tail[: tail.index("    builders")]
    releases.merge(
        repo, "trust.yaml", f"{head}  - name: image\n{match}    minimum_level: 0\n    loosen: {{anyone: true}}\n"
    )
    name_images(repo, image(repo, registry, repository="acme/api"))
    monkeypatch.setattr(World, "colour", lambda self, stream: True)
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 0, out
    assert "\x1b[31;1mANYBODY MAY SIGN" in out
    code, out, _ = maestro(repo, "verify", "release", "--format", "markdown")
    assert "**ANYBODY MAY SIGN" in out


def index(repo: Path, server: LyingRegistry) -> str:
    """An index whose two images are attested, each by itself; by its digest."""
    children = [server.image(content=arch.encode()) for arch in ("amd64", "arm64")]
    for child in children:
        server.attach(bundle(child, releases.built(repo)), child)
    listed = [
        descriptor(server.manifests[f"sha256:{child}"][1], MANIFEST, platform={"os": "linux", "architecture": arch})
        for child, arch in zip(children, ("amd64", "arm64"), strict=True)
    ]
    made = server.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    return f"{server.address}/acme/api@sha256:{made}"


def test_an_auditor_follows_the_images_of_the_pack(repo: Path, registry: LyingRegistry) -> None:
    """Of the image its manifest is proven, of the index each platform's."""
    trust = (repo / "trust.yaml").read_text()
    releases.merge(
        repo, "trust.yaml", trust.replace("  - name: image\n", "  - name: image\n    of_an_index: platforms\n")
    )
    one, many = image(repo, registry), index(repo, registry)
    name_images(repo, one, many)
    code, out, err = maestro(repo, "evidence", "pack", "-o", "pack", "--key", "key.pem")
    assert code == 0, out + err
    pack = repo / "pack"
    lines = [line for line in auditor.commands(pack) if "images/" in line or "--digest" in line]
    # manifests, platforms in the index, attestations, what was concluded (of the index, too)
    assert len(lines) == 2 + 2 + 3 + 4
    assert auditor.failed(pack, lines) == []
    attested = [line for line in lines if "--trusted-root" in line]
    assert len(attested) == 3
    other = [re.sub(r"--digest \w+", f"--digest {'0' * 64}", line) for line in attested]
    assert auditor.failed(pack, other) == other


def test_the_guide_shows_what_is_said(repo: Path, registry: LyingRegistry) -> None:
    good = image(repo, registry)
    demand(repo, '  - {name: api, artifacts: ["dist/api*", "dist/sbom.json"], images: ["127.0.0.1:*/acme/api"]}\n')
    name_images(repo, good, image(repo, registry, "evil", repository="acme/api-evil"))
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 10
    said = re.sub(r"at main \(\w+\)", "at main (1f89e38ab0c4)", out.replace(registry.address, "ghcr.io"))
    said = said.replace("127.0.0.1:*", "ghcr.io")
    said = re.sub(r"the tree \w+", "the tree 611a541d484e", said)
    said = re.sub(r"the policy of \w+", "the policy of 1f89e38ab0c4", said)
    assert f"```text\n{said}```" in (ROOT / "docs/guides/release.md").read_text("utf-8"), said
