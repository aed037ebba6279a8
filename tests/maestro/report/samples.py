"""Reports of every kind, and the sources they speak about."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from maestro.findings import Edit, Finding, Fix, Location, Verdict, with_fingerprints
from maestro.report.model import Report

FLAG = b"""apiVersion: maestro-conductor/v1
kind: Flag
metadata:
  name: checkout-v2
spec:
  type: release
  ttl: 2031-02-01
"""
MANIFEST = b"""apiVersion: maestro-conductor/v1
kind: Manifest
metadata: {name: nightly-report, tenant: acme, owner: "@acme/data"}
spec:
  image: ghcr.io/acme/report:latest
  command: [report, --day, yesterday]
"""
HOSTILE = (
    "\r\n::error::owned\n##[error]owned `code` <script>alert(1)</script> @acme/all #1 ![x](http://x) "
    "|\x1b[31m\u202e\udcff"
)
HOSTILE_PATH = "flags/::error::,a%0A`|<b>\udcff\n.yaml"
SOURCES = {
    "flags/checkout.yaml": FLAG,
    "manifests/report.yaml": MANIFEST,
    "manifests/tabs.yaml": "\tname:\t文字列 e\u0301 x: 値\n".encode(),
    HOSTILE_PATH: b"a: \x1b[2J ::error::x ##[error]y \xff\n",
}


def read_source(path: str) -> bytes | None:
    return SOURCES.get(path)


OWNER = Finding(
    rule="mc.flags/missing_owner",
    message="flag checkout-v2 has no owner",
    location=Location("flags/checkout.yaml", 4, 3, 4, 20),
    subject="Flag/checkout-v2",
    remedy="add metadata.owner: a team or a person named in CODEOWNERS",
    owner="@acme/platform",
    docs="https://acme.example/gates/flags#missing_owner",
)
TTL = Finding(
    rule="mc.flags/ttl_too_long",
    message="flag checkout-v2 lives until 2031-02-01; a release flag may live 90 days",
    location=Location("flags/checkout.yaml", 7, 8, 7, 18),
    subject="Flag/checkout-v2",
    remedy="set spec.ttl to 2027-02-01 or earlier",
    owner="@acme/platform",
    fix=Fix("set ttl to 2027-02-01", (Edit(Location("flags/checkout.yaml", 7, 8, 7, 18), "2027-02-01"),)),
)
IMAGE = Finding(
    rule="mc.images/not_pinned",
    message="image ghcr.io/acme/report:latest can change under its tag",
    location=Location("manifests/report.yaml", 5, 10, 5, 36),
    subject="Manifest/nightly-report",
    mode="warn",
    remedy="name it by digest: ghcr.io/acme/report@sha256:…",
    owner="@acme/security",
)
OLD = replace(OWNER, message="flag old-banner has no owner", subject="Flag/old-banner", existing=True)
WAIVED = replace(TTL, subject="Flag/launch", message="flag launch lives too long", waived_by="flags-ttl-launch")
SHADOW = replace(IMAGE, mode="shadow", message="on trial: never to be seen")
WIDE = Finding(
    rule="mc.images/wide",
    message="a wide value",
    location=Location("manifests/tabs.yaml", 1, 17, 1, 18),
    subject="Manifest/wide",
    mode="warn",
)
NASTY = Finding(
    rule=f"mc.x/{HOSTILE}",
    message=HOSTILE,
    location=Location(HOSTILE_PATH, 1, 4, 1, 12),
    subject=HOSTILE,
    remedy=HOSTILE,
    owner=HOSTILE,
    docs=HOSTILE,
    fix=Fix(HOSTILE, (Edit(Location(HOSTILE_PATH, 1, 4), HOSTILE),)),
)

ABSENT = Verdict("governance", "skipped", seconds=0.001, reason="nothing that decides was changed")
DOCUMENTS = Verdict("documents", "passed", 2, 0.012)
BROKEN = Verdict(
    "policy",
    "errored",
    seconds=0.31,
    reason="conftest was not found",
    remedy="install conftest 0.71.1, or let `maestro doctor` say what else can judge",
)


def failed(gate: str, *findings: Finding) -> Verdict:
    return Verdict(gate, "failed", 3, 0.04, with_fingerprints(findings))


def report(*verdicts: Verdict, **changes: object) -> Report:
    base = Report(
        tool_version="0.1.0",
        head="worktree",
        verdicts=verdicts,
        policy_revision="1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        change_base="0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
        engine="conftest 0.71.1",
        rule_titles={"mc.flags/missing_owner": "A flag names its owner"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


REPORTS = {
    "passed": report(DOCUMENTS, Verdict("flags", "passed", 1, 0.004), ABSENT),
    "passed-everything": report(DOCUMENTS, judges_all=True, notes=("on the default branch: everything is judged",)),
    "skipped": report(ABSENT, Verdict("flags", "skipped", reason="no flag changed")),
    "blocked": report(DOCUMENTS, failed("flags", OWNER, TTL), failed("policy", IMAGE, SHADOW), ABSENT),
    "errored": report(DOCUMENTS, BROKEN),
    "errored-and-blocked": report(failed("flags", OWNER), BROKEN),
    "waived-and-existing": report(failed("flags", OLD, WAIVED, SHADOW), failed("policy", WIDE)),
    "preview": report(failed("flags", replace(OWNER, mode="warn")), preview=True, policy_revision=None),
    "hostile": report(
        failed(
            HOSTILE,
            NASTY,
            replace(NASTY, mode="warn"),
            replace(NASTY, waived_by=HOSTILE),
            replace(NASTY, existing=True),
        ),
        Verdict(HOSTILE, "errored", reason=HOSTILE, remedy=HOSTILE),
        Verdict("x", "skipped", reason=HOSTILE),
        engine=HOSTILE,
        notes=(HOSTILE,),
    ),
    "overflow": report(
        failed("flags", *(replace(OWNER, subject=f"Flag/f{n}", message=f"flag f{n} has no owner") for n in range(40))),
        failed("policy", *(replace(IMAGE, subject=f"Manifest/m{n}") for n in range(23)), *[OLD] * 12),
    ),
}

_FRAGMENTS = st.sampled_from(
    [
        "::error::",
        "##[error]",
        "##vso[task]",
        "\n",
        "\r\n",
        "`",
        "``",
        "|",
        "\\|",
        "\\",
        "<script>",
        "<!--",
        "]]>",
        "&#64;",
        "@acme/x",
        "#12",
        "![a](http://b)",
        "[a](b)",
        "https://x.example",
        "\x1b[31m",
        "\u202e",
        "\ufeff",
        "\ufffe",
        "\udcff",
        *("\ud83d", "%0A", "%", ",", ":", "\t", "値", "e\u0301", "\0", "\x85", "\u2028", " ", "plain"),
    ]
)
texts = st.lists(st.one_of(_FRAGMENTS, st.text(st.characters(), max_size=5)), max_size=6).map("".join)
_optional = st.none() | texts
_number = st.integers(1, 60)


@st.composite
def locations(draw: st.DrawFn) -> Location:
    line, column = draw(_number), draw(_number)
    if draw(st.booleans()):
        return Location(draw(texts), line, column)
    more = draw(st.integers(0, 3))
    return Location(draw(texts), line, column, line + more, draw(_number) + (0 if more else column))


fixes = st.builds(Fix, texts, st.lists(st.builds(Edit, locations(), texts), max_size=2).map(tuple))
findings = st.builds(
    Finding,
    rule=texts,
    message=texts,
    location=locations(),
    subject=texts,
    mode=st.sampled_from(["enforce", "warn", "shadow"]),
    remedy=_optional,
    owner=_optional,
    docs=st.none() | st.just("https://acme.example/x"),
    fix=st.none() | fixes,
    existing=st.booleans(),
    waived_by=_optional,
)
_verdicts = st.builds(
    Verdict,
    gate=texts.filter(bool),
    outcome=st.sampled_from(["passed", "failed", "skipped", "errored"]),
    judged=st.integers(0, 9),
    seconds=st.floats(0, 100),
    findings=st.lists(findings, max_size=3).map(with_fingerprints),
    reason=_optional,
    remedy=_optional,
)
reports = st.builds(
    Report,
    tool_version=texts,
    head=texts.filter(bool),
    verdicts=st.lists(_verdicts, max_size=3).map(tuple),
    policy_revision=_optional,
    change_base=_optional,
    preview=st.booleans(),
    judges_all=st.booleans(),
    engine=_optional,
    notes=st.lists(texts, max_size=2).map(tuple),
)
