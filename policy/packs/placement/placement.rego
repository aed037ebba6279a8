# METADATA
# title: Where a manifest may run
# description: |
#   Chooses cloud, region, class and pool, or says which rule stands in the way and what would come nearest.
#   Among pools that fit: the cloud that comes first in `clouds`, then the order of `input.pools` (by name).
# custom:
#   mode: enforce
#   owner: "@acme/platform"
#   input: placement-request
package mc.placement

# The clouds that may be used; where several pools fit, the cloud named first wins. Edit this list.
clouds := ["aws", "gcp", "local"]

# The law is not bent to spare another change: a pool that breaks one of these is never nearer than one that does not.
law := ["residency", "export_control"]

# Every rule a pool must meet, in the order in which pools are ruled out: first what was asked for,
# then what the manifest has, then what the law wants, then the state of the pool.
constraints := [
	"pool", "cloud", "region", "class", "image", "command",
	"residency", "export_control", "drained", "capacity",
]

# METADATA
# title: The placement, or the rule that stands in the way
# entrypoint: true
default decision := {
	"allow": false,
	"reason": "request",
	"message": "the placement request cannot be read",
	"remedy": "give request {class, region, residency, export_control}, manifest and pools",
	"considered": [],
}

decision := placed if {
	count(malformed) == 0
	count(best.obstacles) == 0
} else := refused if is_object(input.request)

placed := {
	"allow": true,
	"cloud": best.pool.cloud,
	"region": best.pool.region,
	"class": input.request.class,
	"pool": best.pool.name,
}

refused := {
	"allow": false,
	"reason": "request",
	"message": concat("", ["the placement request is malformed: ", concat(", ", malformed)]),
	"remedy": "give text, or leave it out; residency is a list of text, class is required",
	"considered": [],
} if {
	count(malformed) > 0
} else := {
	"allow": false,
	"reason": "no_pools",
	"message": "there is no pool to run on",
	"remedy": "add a document of kind Pool",
	"considered": [],
} if {
	count(candidates) == 0
} else := {
	"allow": false,
	"reason": reason,
	"message": message,
	"remedy": concat("", ["nearest is pool ", best.pool.name, ": ", concat("; ", changes)]),
	"nearest": nearest,
	"considered": considered,
}

# --- the pools, and what keeps each from being used

candidates := [candidate |
	some pool in input.pools
	is_name(pool.name)
	is_name(pool.region)
	pool.cloud in clouds
	obstacles := [constraint | some constraint in constraints; not meets(constraint, pool)]
	laws := count([obstacle | some obstacle in obstacles; obstacle in law])
	candidate := {"pool": pool, "obstacles": obstacles, "laws": laws, "others": count(obstacles) - laws}
]

# Chosen by narrowing down rather than by sorting, which engines do differently.
lawful := first_of([[candidate | some candidate in candidates; candidate.laws == number] | some number in [0, 1, 2]])

closest := first_of([[candidate | some candidate in lawful; candidate.others == number] |
	some number in [0, 1, 2, 3, 4, 5, 6, 7, 8]
])

best := first_of([[candidate | some candidate in closest; candidate.pool.cloud == cloud] | some cloud in clouds])[0]

first_of(groups) := [group | some group in groups; count(group) > 0][0]

# --- the rules a pool must meet

meets("pool", pool) if pool.name == input.request.pool

meets("cloud", pool) if pool.cloud == input.request.cloud

meets("region", pool) if pool.region == input.request.region

# What was not asked for is met.
meets(field, _) if {
	field in ["pool", "cloud", "region", "export_control"]
	not asked[field]
}

meets("class", pool) if offers(pool, "classes", input.request.class)

# A cloud runs an image; the local driver runs a command.
meets("image", pool) if pool.cloud == "local"

meets("image", _) if is_name(input.manifest.spec.image)

meets("command", pool) if pool.cloud != "local"

meets("command", _) if {
	is_array(input.manifest.spec.command)
	some word in input.manifest.spec.command
	is_string(word)
}

meets("residency", pool) if {
	unmet := [tag | some tag in residency; not offers(pool, "residency", tag)]
	count(unmet) == 0
}

meets("export_control", pool) if offers(pool, "export_control", input.request.export_control)

meets("drained", pool) if object.get(pool, "drained", false) == false

meets("capacity", pool) if {
	is_number(pool.size)
	pool.size >= slots
}

offers(pool, field, wanted) if {
	is_array(pool[field])
	some offered in pool[field]
	offered == wanted
}

asked := {field: value |
	some field in ["pool", "cloud", "region", "class", "export_control"]
	value := input.request[field]
	is_name(value)
}

default residency := []

residency := input.request.residency if is_array(input.request.residency)

# The warm class starts every index of an array at once; batch needs one slot and takes turns.
default slots := 1

slots := input.manifest.spec.array.size if {
	input.request.class == "warm"
	is_number(input.manifest.spec.array.size)
}

# --- what is not as it should be in the request itself

malformed := [field | some field in fields; is_malformed(field)]

fields := ["pool", "cloud", "region", "export_control", "class", "residency", "pools"]

is_malformed(field) if {
	field in ["pool", "cloud", "region", "export_control"]
	value := input.request[field]
	not is_null(value)
	not is_name(value)
}

is_malformed("class") if not asked.class

is_malformed("residency") if {
	value := input.request.residency
	not is_null(value)
	not is_array(value)
}

is_malformed("residency") if {
	some tag in residency
	not is_name(tag)
}

is_malformed("pools") if not has_pools

has_pools if is_array(input.pools)

is_name(value) if {
	is_string(value)
	value != ""
}

# --- the explanation

# The rule that ruled out the last pools still standing.
reason := standing[count(standing) - 1]

standing := [constraint | some constraint in constraints; constraint in first_obstacles]

first_obstacles := [candidate.obstacles[0] | some candidate in candidates]

message := concat("", [complaint[reason], " (asked for: ", concat(", ", wishes), ")"])

complaint["pool"] := "there is no such pool"

complaint["cloud"] := "no pool is in that cloud"

complaint["region"] := "no pool is in that region"

complaint["class"] := "no pool takes that class"

complaint["image"] := "there is no image, and only a local pool runs a manifest without one"

complaint["command"] := "there is no command, and a local pool cannot run a manifest without one"

complaint["residency"] := concat("", ["no pool keeps data within ", concat(" and ", residency)])

complaint["export_control"] := concat("", ["no pool admits export control ", asked.export_control])

complaint["drained"] := "every pool that fits is drained"

complaint["capacity"] := "every pool that fits is too small"

wishes := [wish |
	some field in ["pool", "cloud", "region", "class"]
	wish := concat(" ", [field, asked[field]])
]

nearest := {
	"cloud": best.pool.cloud,
	"region": best.pool.region,
	"class": nearest_class,
	"pool": best.pool.name,
	"relax": best.obstacles,
}

default nearest_class := "batch"

nearest_class := input.request.class if not "class" in best.obstacles

nearest_class := offered if {
	"class" in best.obstacles
	offered := best.pool.classes[0]
	is_name(offered)
}

# What would have to change for the nearest pool to fit.
changes := [change | some obstacle in best.obstacles; change := cure[obstacle]]

cure["pool"] := "name it, or name no pool"

cure["cloud"] := concat("", ["ask for cloud ", best.pool.cloud])

cure["region"] := concat("", ["ask for region ", best.pool.region])

cure["class"] := concat("", ["ask for class ", nearest_class])

cure["image"] := "give the manifest an image"

cure["command"] := "give the manifest a command"

cure["residency"] := "it would need another residency, which is for the owner of the data to say"

cure["export_control"] := "it would need another export control tag, which is for the owner of the code to say"

cure["drained"] := "it would have to be no longer drained"

cure["capacity"] := "make it larger, or the array smaller"

considered := [{
	"pool": candidate.pool.name,
	"cloud": candidate.pool.cloud,
	"region": candidate.pool.region,
	"obstacles": candidate.obstacles,
} |
	some candidate in candidates
]
