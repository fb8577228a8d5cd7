package lockstep

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	goscanner "go/scanner"
	"go/token"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Program is a migration that is not SQL. Generated code makes it: [Go] does for
// .go files, and package script has those for .py and .sh.
type Program interface {
	// Checksum returns the checksum of the file's text: what has to stay the same
	// for it to be the same migration.
	Checksum(text []byte) string
}

// A Tx is how a migration written in Go works on the database. It has the methods
// of a *sql.Tx that run SQL, and so is what the code that sqlc generates takes.
//
// What it runs is part of the upgrade's transaction, and that is kept whole:
//
//   - BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT, RELEASE, ATTACH, DETACH and VACUUM are
//     refused, and so is a PRAGMA that sets something about the connection. A migration
//     that returns nil has its work kept, and one that returns an error has it undone,
//     with that of the whole upgrade.
//   - Once a statement has failed, everything later is refused, and the migration
//     fails with the first error even if it returns nil: some errors end a transaction,
//     and what was executed then would be there for good.
//   - Foreign keys are off, as they are during the whole upgrade, so that ON DELETE
//     CASCADE and its like do nothing; they are checked at its end. PRAGMA foreign_keys
//     may be read, and not set.
//   - _meta and _lockstep_history are lockstep's. A migration that changes them fails.
//   - When the function has returned, its Tx is at an end ([sql.ErrTxDone]), and so are
//     the rows and the statements that it has left open.
//
// One goroutine at a time should use it. Goroutines that do have to be waited for.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Go is the program of a migration that is written in Go: the function migrate0007
// of the file 0007-backfill-slugs.go.
//
// The function runs where a migration in SQL would: in the transaction of the
// upgrade, on its connection, after what is before it and before what is behind it.
// The values that it reads are those that the application's driver makes of them.
// When ctx ends, the statement that is running is interrupted, whatever context it
// was given, and the upgrade is rolled back. So it is after a panic, which goes on.
//
// It can be called more than once, because an upgrade can be rolled back and begun
// again, by one call of [Migrate] even: nothing that it does elsewhere is undone.
// The database is locked while it runs, so that it cannot write to the file in
// another way than through its Tx.
func Go(migrate func(ctx context.Context, tx Tx) error) Program { return goProgram{migrate} }

type goProgram struct {
	migrate func(ctx context.Context, tx Tx) error
}

// Checksum returns "g1:" and 128 bits of a SHA-256 over the tokens of Go source, in
// hexadecimal. Blanks and comments do not count.
func (goProgram) Checksum(text []byte) string {
	var s goscanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, text, func(token.Position, string) {}, 0)
	h := sha256.New()
	for {
		_, tok, literal := s.Scan()
		if tok == token.EOF {
			return "g1:" + hex.EncodeToString(h.Sum(nil)[:16])
		}
		if tok == token.SEMICOLON {
			literal = "" // or the end of a line
		}
		h.Write([]byte(tok.String() + " " + literal + "\n"))
	}
}

// Run calls the function with a Tx of somebody else's, without an upgrade around it.
// It is for the generator, which runs it in one process and guards it in another.
func (p goProgram) Run(ctx context.Context, tx Tx) error { return p.migrate(ctx, tx) }

// ScriptChecksum returns the checksum of a migration for another interpreter, a .py
// or .sh file: "x1:" and 128 bits of a SHA-256 over its text, in hexadecimal. A
// byte-order mark and what ends a line do not count; blanks and comments do, because
// only the interpreter could tell them from the rest.
func ScriptChecksum(text []byte) string {
	sum := sha256.Sum256([]byte(sqltext.Normalize(text)))
	return "x1:" + hex.EncodeToString(sum[:16])
}

// runProgram runs a migration that is not SQL. (It asks for the method, and not for
// the type, so that what a kind of migration needs is linked only into programs that
// have one.)
func (u *upgrade) runProgram(ctx context.Context, m *pending) error {
	p, ok := m.Program.(interface {
		run(ctx context.Context, u *upgrade, m *pending) error
	})
	if !ok {
		return fmt.Errorf("nothing is known to run a %T", m.Program)
	}
	return p.run(ctx, u, m)
}
