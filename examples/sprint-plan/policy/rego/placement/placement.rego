package mc.placement

default decision = {"allow": false, "reason": "no_match"}

clouds := {"AWS", "GCP"}

decision := {"allow": true, "cloud": c, "region": r, "class": input.request.class} {
  some c
  clouds[c]
  r := input.request.region
  allowed(c, r)
}

allowed("AWS", r) { r == "us-west-2" }
allowed("GCP", r) { r == "us-central1" }
