# METADATA
# title: Flags have an owner and an end
# description: A feature flag that nobody owns, or that never ends, stays in the code for ever.
# custom:
#   mode: enforce
#   owner: "@acme/platform"
#   input: flag-change
package mc.flags

# METADATA
# title: A flag names its owner
deny_missing_owner contains {"msg": msg, "path": ["metadata"], "remedy": remedy} if {
	is_object(input.flag)
	not has_owner
	msg := sprintf("flag %s has no owner", [key])
	remedy := "add metadata.owner: an @user, @org/team or address that CODEOWNERS or maestro.yaml knows"
}

# METADATA
# title: A flag says when it ends
deny_missing_ttl contains {"msg": msg, "path": ["spec"], "remedy": remedy, "fix": fix} if {
	is_object(input.flag)
	not has_ttl
	msg := sprintf("flag %s has no ttl, the last day it may exist", [key])
	remedy := "add spec.ttl: a date such as 2027-02-01 (inclusive, UTC)"
}

# METADATA
# title: A flag that is added or changed has not expired
deny_expired contains {"msg": msg, "path": ["spec", "ttl"], "remedy": remedy} if {
	has_ttl
	has_now
	input.flag.ttl < today
	msg := sprintf("flag %s expired on %s", [key, input.flag.ttl])
	remedy := "remove the flag and the code behind it, or extend it: a later spec.ttl and an entry in spec.extensions"
}

# METADATA
# title: The day is known when flags are judged
# description: Without it nothing can be said about expiry, so nothing is allowed.
deny_unknown_day contains {"msg": msg, "remedy": remedy} if {
	is_object(input.flag)
	not has_now
	msg := "the input has no `now`, so whether the flag has expired is unknown"
	remedy := "give `now` as an RFC 3339 time in UTC, for example 2026-12-01T00:00:00Z"
}

has_owner if {
	is_string(input.flag.owner)
	input.flag.owner != ""
}

has_ttl if is_date(input.flag.ttl)

has_now if {
	is_string(input.now)
	is_date(substring(input.now, 0, 10))
}

is_date(text) if {
	is_string(text)
	regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, text)
}

today := substring(input.now, 0, 10)

default key := "(unnamed)"

key := input.flag.key if is_string(input.flag.key)

# A date to start from: the same day next month, at most the 28th, which every month has.
default fix := null

fix := {"path": ["spec", "ttl"], "value": concat("-", [year, month, day])} if has_now

month := following[substring(today, 5, 2)]

year := substring(today, 0, 4) if month != "01"

year := sprintf("%d", [to_number(substring(today, 0, 4)) + 1]) if month == "01"

default day := "28"

day := substring(today, 8, 2) if substring(today, 8, 2) < "28"

following := {
	"01": "02", "02": "03", "03": "04", "04": "05", "05": "06", "06": "07",
	"07": "08", "08": "09", "09": "10", "10": "11", "11": "12", "12": "01",
}
