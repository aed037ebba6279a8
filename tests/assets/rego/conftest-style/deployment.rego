package main

import rego.v1

import data.lib.kubernetes

deny contains msg if {
	kubernetes.is_workload
	not input.metadata.labels.app
	msg := sprintf("%s: label app is missing", [kubernetes.name])
}

deny contains msg if {
	some container in kubernetes.containers
	endswith(container.image, ":latest")
	msg := sprintf("%s: image %s floats", [kubernetes.name, container.image])
}

deny_replicas contains msg if {
	kubernetes.is_workload
	input.spec.replicas < 2
	msg := sprintf("%s: %v replicas", [kubernetes.name, input.spec.replicas])
}

violation_privileged contains {"msg": msg, "container": container.name, "details": {"index": index}} if {
	some index, container in kubernetes.containers
	container.securityContext.privileged == true
	msg := sprintf("%s: container %d is privileged", [kubernetes.name, index])
}

violation contains {"msg": "a password in the environment"} if {
	some container in kubernetes.containers
	some variable in container.env
	variable.name == "PASSWORD"
}

exception contains rules if {
	input.metadata.labels.legacy == "yes"
	rules := ["replicas", "limits"]
}

exception contains rules if {
	input.metadata.name == "legacy-db"
	input.kind == "Service"
	rules := [""]
}
