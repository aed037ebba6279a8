package main

import rego.v1

import data.lib.kubernetes

warn contains "a load balancer costs money" if {
	input.kind == "Service"
	input.spec.type == "LoadBalancer"
}

warn_limits contains {"msg": sprintf("container %d has no limits", [index]), "level": 3} if {
	some index, container in kubernetes.containers
	not container.resources.limits
}

deny_kind contains msg if {
	not input.kind
	msg := "what is this?"
}
