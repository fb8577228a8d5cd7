package runtime

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
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
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Go is the program of a migration that is written in Go: the function migrate0007
// of the file 0007-backfill-slugs.go.
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

// ScriptChecksum returns the checksum of a migration for another interpreter, a .py
// or .sh file: "x1:" and 128 bits of a SHA-256 over its text, in hexadecimal. A
// byte-order mark and what ends a line do not count; blanks and comments do, because
// only the interpreter could tell them from the rest.
func ScriptChecksum(text []byte) string {
	sum := sha256.Sum256([]byte(sqltext.Normalize(text)))
	return "x1:" + hex.EncodeToString(sum[:16])
}

// runProgram runs a migration that is not SQL.
func (u *upgrade) runProgram(ctx context.Context, m *pending) error {
	return m.Program.(goProgram).migrate(ctx, u.conn)
}
