package main

# Written for conftest: `conftest test -p policy/conftest k8s/` gives the same failures and warnings.

workload if input.kind in ["Deployment", "StatefulSet", "DaemonSet"]

deny contains msg if {
	workload
	some container in input.spec.template.spec.containers
	not pinned(container)
	msg := sprintf("%s %s: container %s is not pinned by digest", [input.kind, input.metadata.name, container.name])
}

deny contains msg if {
	workload
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := sprintf("%s %s may run as root", [input.kind, input.metadata.name])
}

warn contains msg if {
	workload
	some container in input.spec.template.spec.containers
	not container.resources.limits.memory
	msg := sprintf("%s %s: container %s has no memory limit", [input.kind, input.metadata.name, container.name])
}

pinned(container) if contains(container.image, "@sha256:")
