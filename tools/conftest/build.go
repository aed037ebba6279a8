//go:build tools

// Package conftest pins what is built into the conftest that judges here. The
// released v0.71.1 embeds OPA 1.21.1, whose rule index loses a deny; requiring
// OPA 1.22.2 beside it gives a conftest that denies (docs/adr/0003).
package conftest

import (
	_ "github.com/open-policy-agent/conftest"
	_ "github.com/open-policy-agent/opa/v1/version"
)
