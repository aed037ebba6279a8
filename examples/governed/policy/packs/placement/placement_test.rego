package mc.placement_test

import data.mc.placement

us := {
	"name": "aws-west", "cloud": "aws", "region": "us-west-2", "classes": ["batch", "warm"],
	"size": 10, "drained": false, "residency": ["us"], "export_control": ["EAR99"],
}

eu := {
	"name": "gcp-europe", "cloud": "gcp", "region": "europe-west1", "classes": ["batch"],
	"size": 10, "drained": false, "residency": ["eu"], "export_control": [],
}

ask(request) := {
	"request": object.union({"class": "batch"}, request),
	"manifest": {"spec": {"image": "ghcr.io/acme/report", "command": ["report"]}},
	"pools": [us, eu],
	"now": "2026-12-01T00:00:00Z",
}

test_first_cloud_wins if placement.decision.pool == "aws-west" with input as ask({})

test_residency_decides if placement.decision.pool == "gcp-europe" with input as ask({"residency": ["eu"]})

test_drained_is_avoided if {
	drained := object.union(ask({}), {"pools": [object.union(us, {"drained": true}), eu]})
	placement.decision.pool == "gcp-europe" with input as drained
}

test_the_rule_in_the_way_is_named if {
	decision := placement.decision with input as ask({"region": "us-west-2", "residency": ["eu"]})
	decision.reason == "residency"
	decision.nearest == {
		"cloud": "gcp", "region": "europe-west1", "class": "batch",
		"pool": "gcp-europe", "relax": ["region"],
	}
}

test_nothing_to_read_is_a_deny if placement.decision.allow == false with input as {}

test_residency_as_text_is_a_deny if placement.decision.reason == "request" with input as ask({"residency": "eu"})
