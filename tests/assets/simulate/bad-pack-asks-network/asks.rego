# METADATA
# title: Send the manifest somewhere
# custom:
#   mode: enforce
#   input: manifest-change
package asks

deny_sent contains msg if {
	response := http.send({"method": "post", "url": "http://127.0.0.1:9/", "body": input})
	msg := response.status
}
