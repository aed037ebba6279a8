"""Patterns match what they are for, and only that; policies are found as conftest would load them."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from gates.init_files.survey import ConftestPolicy, LeftOut, Survey, is_old, survey
from maestro.patterns import matches

SERVICE = b"apiVersion: v1\nkind: Service\n"
TEMPLATE = b"apiVersion: v1\nkind: {{ x }}\n"
VALUES = b"replicas: 1\n"
FLAG = b"apiVersion: maestro-conductor/v1\nkind: Flag\n"
V1 = b'package main\n\ndeny contains "no" if input.x\n'
V0 = b'package main\n\ndeny[msg] {\n  input.x\n  msg := "no"\n}\n'


def look(files: Mapping[str, bytes]) -> Survey:
    return survey(files, lambda paths: {path: files[path] for path in paths})


segments = st.sampled_from(["k8s", "apps", "a", "b", "deep", "odd[1]", ".hidden"])
names = st.sampled_from(["a.yaml", "b.yml", "c.yaml", "values.yaml", "st*r.yaml", "README.md"])
paths = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(segments, max_size=4), names)
contents = st.sampled_from([SERVICE, TEMPLATE, VALUES, FLAG])


@given(st.dictionaries(paths, contents, max_size=25))
def test_every_pattern_matches_something_and_nothing_odd(files: dict[str, bytes]) -> None:
    found = look(files)
    kubernetes = {
        path
        for path, data in files.items()
        if data == SERVICE and path.endswith((".yaml", ".yml")) and not any(p.startswith(".") for p in path.split("/"))
    }
    matched = {path for path in files for pattern in found.patterns if matches(pattern, path)}
    assert all(any(matches(pattern, path) for path in kubernetes) for pattern in found.patterns)
    assert not {
        path for path in matched if files[path] in (TEMPLATE, FLAG) and not path.split("/")[0].startswith(".")
    } - {path for path in matched if any(part.startswith(".") for part in path.split("/"))}
    assert len(kubernetes - matched) == found.unmatched


def test_a_folder_of_kubernetes_becomes_one_pattern() -> None:
    found = look({"k8s/a.yaml": SERVICE, "k8s/x/y/b.yaml": SERVICE, "k8s/kustomization.yaml": VALUES})
    assert found.patterns == ("k8s/**/*.yaml",)


def test_templates_split_a_pattern() -> None:
    found = look({"deploy/a.yaml": SERVICE, "deploy/chart/t.yaml": TEMPLATE, "deploy/prod/b.yml": SERVICE})
    assert found.patterns == ("deploy/*.yaml", "deploy/prod/**/*.yml")


def test_the_largest_folders_get_the_patterns_and_the_rest_is_counted() -> None:
    files = {f"d{n}/a.yaml": SERVICE for n in range(30)} | {"d29/b.yaml": SERVICE}
    found = look(files)
    assert (len(found.patterns), found.unmatched) == (20, 10)
    assert "d29/**/*.yaml" in found.patterns


def test_a_folder_taken_by_other_files_is_foreign() -> None:
    assert look({"manifests/a.yaml": SERVICE, "flags/a.yaml": FLAG}).foreign_folders == {"manifests"}
    assert look({"pools": b""}).foreign_folders == {"pools"}


def test_policies_as_conftest_finds_them() -> None:
    found = look(
        {
            "policy/main.rego": V1,
            "policy/sub/other.rego": V1.replace(b"package main", b"package kubernetes.pods"),
            "policy/lib/help.rego": b"package lib\n\nhelp := 1\n",
            "policy/main_test.rego": b"package main\n\ntest_a if true\n",
            "policy/packs/flags/flags.rego": V1.replace(b"package main", b"package mc.flags"),
        }
    )
    assert found.policies == (
        ConftestPolicy("policy", "kubernetes.pods", "v1"),
        ConftestPolicy("policy", "main", "v1"),
    )


def test_conftest_settings_are_honoured() -> None:
    settings = b'policy = ["./rules/strict"]\nnamespace = "main"\ndata = ["rules/data"]\n'
    found = look(
        {
            "conftest.toml": settings,
            "rules/strict/a.rego": V0,
            "rules/strict/b.rego": V0.replace(b"package main", b"package skipped"),
            "rules/loose/a.rego": V0,
        }
    )
    assert found.policies == (ConftestPolicy("rules/strict", "main", "v0", ("rules/data",)),)


def pods(package: str = "main") -> bytes:
    return b'package %s\n\ndeny contains "no" if input.kind == "Pod"\n' % package.encode()


def test_policies_judge_what_lies_beside_them() -> None:
    files = {"a/k8s/x.yaml": SERVICE, "b/y.yaml": SERVICE, "a/policy/p.rego": pods("a"), "lib/policy/p.rego": pods("l")}
    found = look(files)
    assert found.policies == (
        ConftestPolicy("a/policy", "a", "v1", match=("a/**/*.yaml",)),
        ConftestPolicy("lib/policy", "l", "v1", match=("a/**/*.yaml", "b/**/*.yaml")),
    )


def test_one_folder_gets_a_package_that_several_have() -> None:
    files = {"k/x.yaml": SERVICE, "k/y.yaml": SERVICE, "b/x.yaml": SERVICE}
    found = look(files | {"b/p/a.rego": pods(), "k/p/a.rego": pods(), "other/a.rego": pods()})
    assert [policy.path for policy in found.policies] == ["k/p"]
    assert found.left_out == (LeftOut("b/p", "main", "same_namespace"), LeftOut("other", "main", "same_namespace"))
    assert [policy.path for policy in look(files | {"k/p/a.rego": pods(), "policy/a.rego": pods()}).policies] == [
        "policy"
    ]


def test_policies_that_could_not_judge_one_document_are_left_out() -> None:
    files = {
        "x.yaml": SERVICE,
        "all/a.rego": b"package main\n\ndeny contains x if x := input[_].contents.kind\n",
        "name/a.rego": b'package main\n\ndeny contains "x" if data.conftest.file.name == input.kind\n',
        "theirs/a.rego": pods("conftest"),
        "policy/a.rego": pods() + b"# input[_].contents and data.conftest are only spoken of\n",
    }
    found = look(files)
    assert [policy.path for policy in found.policies] == ["policy"]
    assert found.left_out == (
        LeftOut("all", "main", "combine"),
        LeftOut("name", "main", "file_name"),
        LeftOut("theirs", "conftest", "reserved"),
    )


def test_policies_for_other_inputs_are_left_out_beside_those_for_kubernetes() -> None:
    helper = b'package lib.k\n\nis_pod if input.kind == "Pod"\n'
    files = {
        "x.yaml": SERVICE,
        "policy/lib.rego": helper,
        "policy/pods.rego": b'package main\n\nimport data.lib.k\n\ndeny contains "no" if k.is_pod\n',
        "policy/docker.rego": b'package docker\n\ndeny contains "no" if input[_].Cmd == "from"\n',
    }
    found = look(files)
    assert [policy.namespace for policy in found.policies] == ["main"]
    assert found.left_out == (LeftOut("policy", "docker", "other_input"),)
    # Named by conftest.toml, or alone in the repository, they are asked whatever they speak of.
    named = look(files | {"conftest.toml": b'namespace = ["main", "docker"]\n'})
    assert [policy.namespace for policy in named.policies] == ["docker", "main"]
    alone = look({path: data for path, data in files.items() if path != "policy/pods.rego"})
    assert [policy.namespace for policy in alone.policies] == ["docker"]


def test_broken_settings_and_rego_do_not_stop_it() -> None:
    assert look({"conftest.toml": b"\xff[[", "policy/a.rego": b"\xff\x00 nothing", "b.rego": V1}).policies == ()


def test_old_and_new_syntax() -> None:
    assert is_old(V0.decode())
    assert not is_old(V1.decode())
    assert not is_old("package main\nimport rego.v1\ndeny contains x if { x := 1 }\n")
    assert is_old("package main\nallow { true }\n")
    assert not is_old("package main\nx := {1, 2}\n")
    assert not is_old("package main\n# deny[x] {\ndeny contains 1 if true\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_surveyed(data: bytes) -> None:
    look({"policy/a.rego": data, "a.yaml": data, "conftest.toml": data})
