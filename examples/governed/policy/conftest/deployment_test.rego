package main_test

import data.main

deployment(container) := {
	"kind": "Deployment",
	"metadata": {"name": "storefront"},
	"spec": {"template": {"spec": {
		"securityContext": {"runAsNonRoot": true},
		"containers": [container],
	}}},
}

test_pinned_passes if {
	count(main.deny) == 0 with input as deployment({"name": "web", "image": "ghcr.io/acme/web@sha256:00"})
}

test_tag_is_denied if count(main.deny) == 1 with input as deployment({"name": "web", "image": "ghcr.io/acme/web:1"})

test_a_service_is_no_workload if count(main.deny) == 0 with input as {"kind": "Service"}
