package lockstep

import (
	"context"
	"errors"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// Primary result codes of SQLite. https://sqlite.org/rescode.html
const (
	codeBusy      = 5
	codeLocked    = 6
	codeReadOnly  = 8
	codeInterrupt = 9
	codeProtocol  = 15
)

// resultCode returns the primary SQLite result code in err, or 0.
func resultCode(err error) int { return sqlite.Code(err) & 0xff }

// isBusy reports whether err says that another connection holds a lock, so that
// the same call can succeed later. LOCKED is the same within a shared cache, and
// PROTOCOL is what a race for the locks of a WAL ends in.
func isBusy(err error) bool {
	switch resultCode(err) {
	case codeBusy, codeLocked, codeProtocol:
		return true
	}
	return false
}

// isInterrupt reports whether err is what a driver returns when the context has
// ended: SQLite's answer, or the context's error.
func isInterrupt(err error) bool {
	return resultCode(err) == codeInterrupt || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isNoTransaction reports whether err is SQLite's answer to a ROLLBACK, COMMIT or
// RELEASE for which there is nothing (any more): some errors roll back by
// themselves. It has no code of its own. https://sqlite.org/lang_transaction.html
func isNoTransaction(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no transaction is active")
}
