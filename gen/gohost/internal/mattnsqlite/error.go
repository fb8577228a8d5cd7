// Package mattnsqlite has the types of errors that mattn/go-sqlite3 has, for a test
// without it.
package mattnsqlite

// ErrNo is a result code.
type ErrNo int

func (ErrNo) Error() string { return "" }

// ErrNoExtended is an extended one.
type ErrNoExtended int

func (ErrNoExtended) Error() string { return "" }

// Error is what the driver returns.
type Error struct {
	Code         ErrNo
	ExtendedCode ErrNoExtended
}

func (Error) Error() string { return "" }

const (
	ErrConstraint       = ErrNo(19)
	ErrConstraintUnique = ErrNoExtended(19 | 8<<8)
)
