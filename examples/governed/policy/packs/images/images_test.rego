package mc.images_test

import data.mc.images

digest := "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

manifest(image) := {"manifest": {"spec": {"image": image}}, "before": null}

test_pinned_and_ours_passes if {
	ours := manifest(concat("", ["ghcr.io/acme/report", digest]))
	count(images.deny_not_pinned) == 0 with input as ours
	count(images.deny_registry) == 0 with input as ours
}

test_no_image_passes if {
	count(images.deny_not_pinned) == 0 with input as {"manifest": {"spec": {"command": ["x"]}}}
	count(images.deny_registry) == 0 with input as {"manifest": null}
}

test_a_tag_is_not_a_pin if count(images.deny_not_pinned) == 1 with input as manifest("ghcr.io/acme/report:1.4.2")

test_latest_is_named if {
	some finding in images.deny_not_pinned with input as manifest("ghcr.io/acme/report:latest")
	contains(finding.msg, "`latest`")
}

test_only_allowed_registries if {
	count(images.deny_registry) == 1 with input as manifest(concat("", ["docker.io/acme/report", digest]))
	count(images.deny_registry) == 1 with input as manifest(concat("", ["ghcr.io/acme-inc/report", digest]))
	count(images.deny_registry) == 1 with input as manifest(concat("", ["ghcr.io/acme/../x", digest]))
}
