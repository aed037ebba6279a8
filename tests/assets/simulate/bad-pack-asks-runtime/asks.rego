# METADATA
# title: What does the machine's environment hold?
# custom:
#   mode: enforce
#   input: manifest-change
package asks

deny_environment contains msg if {
	env := opa.runtime().env
	msg := sprintf("%v", [env])
}
