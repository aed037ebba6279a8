"""mc.placement against a second telling of its rules in Python, and against itself on the other engine."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.policy.packs.both_engines import modules, opa, regopy

CLOUDS = ("aws", "gcp", "local")


def obstacles(asked: dict[str, Any], pool: dict[str, Any]) -> list[str]:
    request, spec = asked["request"], asked["manifest"]["spec"]
    slots = spec.get("array", {}).get("size", 1) if request["class"] == "warm" else 1
    tag = request.get("export_control")
    checks = {
        "pool": request.get("pool") in (None, pool["name"]),
        "cloud": request.get("cloud") in (None, pool["cloud"]),
        "region": request.get("region") in (None, pool["region"]),
        "class": request["class"] in pool["classes"],
        "image": pool["cloud"] == "local" or "image" in spec,
        "command": pool["cloud"] != "local" or "command" in spec,
        "residency": set(request.get("residency") or []) <= set(pool["residency"]),
        "export_control": tag is None or tag in pool["export_control"],
        "drained": not pool["drained"],
        "capacity": pool["size"] >= slots,
    }
    return [name for name, met in checks.items() if not met]


def expected(asked: dict[str, Any]) -> tuple[Any, ...]:
    """(True, pool) or (False, reason, nearest pool, what it relaxes)."""
    if not asked["pools"]:
        return (False, "no_pools", None, None)
    judged = [(pool, obstacles(asked, pool)) for pool in asked["pools"]]
    names = ["pool", "cloud", "region", "class", "image", "command"]
    names += ["residency", "export_control", "drained", "capacity"]

    def cost(row: tuple[dict[str, Any], list[str]]) -> tuple[int, int, int]:
        laws = sum(name in ("residency", "export_control") for name in row[1])
        return laws, len(row[1]) - laws, CLOUDS.index(row[0]["cloud"])

    pool, relax = min(judged, key=cost)
    if not relax:
        return (True, pool["name"])
    reason = max((found[0] for _, found in judged), key=names.index)
    return (False, reason, pool["name"], relax)


def some_request(dice: random.Random) -> dict[str, Any]:
    def maybe(*values: Any) -> Any:
        return dice.choice([None, None, *values])

    tags = ["us", "eu", "be"]
    pools = [
        {
            "name": f"pool-{index}",
            "cloud": dice.choice(CLOUDS),
            "region": dice.choice(["us-west-2", "europe-west1"]),
            "classes": dice.choice([["batch"], ["warm"], ["batch", "warm"]]),
            "size": dice.choice([0, 1, 9, 10, 1000]),
            "drained": dice.random() < 0.2,
            "residency": dice.sample(tags, dice.randrange(3)),
            "export_control": dice.choice([[], ["EAR99"]]),
        }
        for index in range(dice.randrange(13))
    ]
    spec: dict[str, Any] = dice.choice([{"image": "i"}, {"command": ["c"]}, {"image": "i", "command": ["c"]}])
    request = {
        "class": dice.choice(["batch", "warm"]),
        "region": maybe("us-west-2", "europe-west1", "nowhere"),
        "cloud": maybe(*CLOUDS),
        "pool": maybe("pool-1", "pool-11"),
        "residency": maybe(dice.sample(tags, dice.randrange(3))),
        "export_control": maybe("EAR99"),
    }
    if dice.random() < 0.3:
        spec = {**spec, "array": {"size": dice.choice([2, 10, 100])}}
    return {"request": request, "manifest": {"spec": spec}, "pools": pools, "now": "2026-12-01T00:00:00Z"}


def test_random_requests(tmp_path: Path) -> None:
    dice = random.Random(20261201)
    asked = [some_request(dice) for _ in range(400)]
    answers = opa(modules("placement"), "data.mc.placement.decision", asked, tmp_path)
    reasons = set()
    for value, (decision,) in zip(asked, answers, strict=True):
        nearest = decision.get("nearest", {})
        got = (
            (True, decision["pool"])
            if decision["allow"]
            else (False, decision["reason"], nearest.get("pool"), nearest.get("relax"))
        )
        assert got == expected(value), value
        reasons.add(decision.get("reason"))
    assert len(reasons) >= 9, "the dice must reach most rules"
    assert regopy(modules("placement"), "data.mc.placement.decision", asked) == answers
