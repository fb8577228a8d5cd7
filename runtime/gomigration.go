package lockstep

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	goscanner "go/scanner"
	"go/token"

	"github.com/lockstep-db/lockstep/runtime/gotx"
	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// A Program is a migration that is not SQL. Generated code makes one with [Go] for a .go
// file, and with package script for a .py or .sh file.
type Program interface {
	// Checksum returns the checksum of the file's text: what has to stay the same
	// for it to be the same migration.
	Checksum(text []byte) string
}

// A Tx is what a migration written in Go works with. It has the methods of a *sql.Tx
// that run SQL, so code that sqlc generates accepts it.
//
// Everything it runs is part of the upgrade's transaction:
//
//   - BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT, RELEASE, ATTACH, DETACH and VACUUM are
//     refused, and so is a PRAGMA that changes the connection. The migration then fails,
//     even if the function returns nil. To undo what a migration did, and the whole
//     upgrade with it, return an error.
//   - A function may handle the error of a statement and go on, as after a UNIQUE conflict
//     that it expects. But some errors end the transaction: ON CONFLICT ROLLBACK, a full
//     disk, an interrupted INSERT. After one of those nothing more is executed, and the
//     migration fails, even if the function returns nil.
//     See https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction.
//   - Foreign keys are off, as in the whole upgrade, so ON DELETE CASCADE and the like do
//     nothing. They are checked at its end.
//   - _meta and _lockstep_history belong to lockstep. A migration that changes them fails.
//   - When the function returns, the Tx ends ([sql.ErrTxDone]), and so do the rows and
//     statements that are still open.
//
// Only one goroutine at a time should use it. Wait for every goroutine that does.
// Rows.ColumnTypes knows the names of columns, and nothing else.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Go makes a Program of the function migrate0007 in 0007-backfill-slugs.go.
//
// The function runs where a migration in SQL would: after the migrations before it, in
// the upgrade's transaction and on its connection. It reads values as the application's
// driver returns them. When ctx ends, the running statement is interrupted, whatever
// context it was given, and the upgrade is rolled back. A panic rolls it back too, and
// goes on.
//
// A later call of [Migrate] may call the function again, because an upgrade can be rolled
// back. What it did outside the database is not undone. The database is locked while it
// runs, so it can write to the file only through its Tx.
func Go(migrate func(ctx context.Context, tx Tx) error) Program { return goProgram{migrate: migrate} }

type goProgram struct {
	migrate func(ctx context.Context, tx Tx) error
	before  func(query string) (after func(error) error, err error) // see Around; or nil
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

var _ program.Go = goProgram{}

// Around and Replay are for the generator.
func (p goProgram) Around(before func(query string) (func(error) error, error)) interface{ Checksum([]byte) string } {
	return goProgram{p.migrate, before}
}

func (p goProgram) Replay(ctx context.Context, inner *sql.Conn) error {
	on := &conn{Conn: inner}
	defer on.restore(ctx)
	return p.run(ctx, on, &reporter{})
}

// run calls the function in the transaction of the upgrade.
func (p goProgram) run(ctx context.Context, on *conn, progress *reporter) error {
	open := func(ctx context.Context) error { return sqlite.InTransaction(ctx, on.Conn) }
	setting := func(ctx context.Context, pragma string) error { return on.settings.Before(ctx, on.Conn, pragma) }
	u := gotx.Upgrade{InTransaction: open, Setting: setting, Before: p.before, Whole: sqlite.OnServer(on.file), Executed: progress.again}
	return on.keepsOwn(ctx, func() error {
		err := gotx.Call(ctx, on.Conn, u, func(ctx context.Context, tx *sql.Tx) error {
			return p.migrate(ctx, struct{ Tx }{tx}) // which has no other methods: no type assertion finds a Commit
		})
		if err == nil {
			err = ctx.Err() // the function may have ignored it
		}
		if err == nil {
			err = open(ctx)
		}
		return err
	})
}
