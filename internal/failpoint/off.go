//go:build !failpoints

package failpoint

import (
	"time"

	"segell/ledger"
)

// Built tells whether this binary can be made to fail.
const Built = false

// Objects returns o itself.
func Objects(o ledger.Objects) ledger.Objects { return o }

// Now is the clock of the machine.
func Now() time.Time { return time.Now() }

// Reconciles is always true.
func Reconciles() bool { return true }
