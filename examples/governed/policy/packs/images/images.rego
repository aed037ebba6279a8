# METADATA
# title: Images are pinned and come from known registries
# description: What was reviewed is what runs, and it comes from where we build.
# custom:
#   mode: enforce
#   owner: "@acme/platform"
#   input: manifest-change
package mc.images

# Where images may come from: a registry, or a registry and the start of a path. Edit this list.
allowed := ["ghcr.io/acme", "us-docker.pkg.dev/acme"]

# METADATA
# title: An image is pinned by digest
deny_not_pinned contains {"msg": msg, "path": ["spec", "image"], "remedy": remedy} if {
	has_image
	not is_pinned
	msg := sprintf("image %s %s", [image, complaint])
	remedy := "pin it: name@sha256:<digest>; `crane digest IMAGE` or the build that pushed it tells the digest"
}

# METADATA
# title: An image comes from an allowed registry
deny_registry contains {"msg": msg, "path": ["spec", "image"], "remedy": remedy} if {
	has_image
	not is_allowed
	msg := sprintf("image %s does not come from an allowed registry", [image])
	remedy := concat("", ["push it to one of: ", concat(", ", allowed)])
}

# A manifest without an image (absent or null) is not this pack's business; an image that is no text is.
has_image if {
	value := input.manifest.spec.image
	not is_null(value)
}

default image := "(not text)"

image := input.manifest.spec.image if is_string(input.manifest.spec.image)

is_pinned if regex.match(`^[^@]+@sha256:[0-9a-f]{64}$`, image)

# The name before tag and digest, in lower case as registries require; nothing in it may step aside.
is_allowed if {
	regex.match(`^[a-z0-9][a-z0-9./:_-]*(@sha256:[0-9a-f]+)?$`, image)
	not contains(image, "..")
	not contains(image, "//")
	some prefix in allowed
	startswith(image, concat("", [prefix, "/"]))
}

default complaint := "is not pinned by digest: what its tag names can change after review"

complaint := "is not pinned by digest, and `latest` is whatever was pushed last" if is_latest

is_latest if endswith(image, ":latest")

is_latest if not has_tag

has_tag if regex.match(`:[^/]*$`, image)
