package lib.kubernetes

import rego.v1

default name := "nameless"

name := input.metadata.name

is_workload if input.kind in {"Deployment", "Pod"}

containers := object.get(input, ["spec", "template", "spec", "containers"], [])
