package mc.flags_test

import data.mc.flags

whole := {
	"flag": {"key": "a", "add": true, "owner": "@acme/checkout", "type": "release", "ttl": "2027-02-01"},
	"before": null,
	"now": "2026-12-01T00:00:00Z",
}

without(member) := json.remove(whole, [concat("/", ["flag", member])])

test_whole_flag_passes if {
	count(flags.deny_missing_owner) == 0 with input as whole
	count(flags.deny_missing_ttl) == 0 with input as whole
	count(flags.deny_expired) == 0 with input as whole
}

test_owner_is_required if count(flags.deny_missing_owner) == 1 with input as without("owner")

test_ttl_is_required_and_suggested if {
	some finding in flags.deny_missing_ttl with input as without("ttl")
	finding.fix == {"path": ["spec", "ttl"], "value": "2027-01-01"}
}

test_the_suggestion_exists_in_every_month if {
	late := object.union(without("ttl"), {"now": "2027-01-31T10:00:00Z"})
	some finding in flags.deny_missing_ttl with input as late
	finding.fix.value == "2027-02-28"
}

test_the_last_day_is_allowed if {
	count(flags.deny_expired) == 0 with input as object.union(whole, {"now": "2027-02-01T23:59:59Z"})
	count(flags.deny_expired) == 1 with input as object.union(whole, {"now": "2027-02-02T00:00:00Z"})
}

test_without_a_day_nothing_passes if count(flags.deny_unknown_day) == 1 with input as json.remove(whole, ["now"])
