// Package standin is not for programs and promises nothing: it may change or go in any
// release. It loads migrations that use functions and collations of a program, without the
// program: stand-ins for these make the same schema.
package standin

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Names are those that a program has to register.
type Names struct {
	Functions  []string `json:"functions"`
	Collations []string `json:"collations"`
}

// Load is [gen.Load], again and again until SQLite lacks none of the names that it asks for.
func (n *Names) Load(ctx context.Context, dir string, opts gen.Options) (*gen.Result, error) {
	for {
		if len(n.Functions)+len(n.Collations) > 0 { // else the go command builds what runs Go migrations
			opts.Conn = n.register
		}
		res, err := gen.Load(ctx, dir, opts)
		if problems := (gen.Problems)(nil); !errors.As(err, &problems) || !n.learn(problems) {
			return res, err
		}
	}
}

var lacking = regexp.MustCompile(`(?:no such|unknown) (function|collation sequence): ([^\s;(]+)`)

// learn adds the names that these problems are about, and reports whether there are any.
func (n *Names) learn(problems gen.Problems) (learned bool) {
	for _, p := range problems {
		m := lacking.FindStringSubmatch(p.Fact)
		if m == nil {
			continue
		}
		names := &n.Functions
		if m[1] != "function" {
			names = &n.Collations
		}
		if !slices.ContainsFunc(*names, func(name string) bool { return sqltext.Equal(name, m[2]) }) {
			*names, learned = append(*names, m[2]), true
		}
	}
	return learned
}

// register registers functions that return their first argument, and collations by bytes.
func (n *Names) register(conn *sqlite3.Conn) (err error) {
	for _, name := range n.Functions {
		err = errors.Join(err, conn.CreateFunction(name, -1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			if len(arg) > 0 {
				ctx.ResultValue(arg[0])
			}
		}))
	}
	for _, name := range n.Collations {
		err = errors.Join(err, conn.CreateCollation(name, bytes.Compare))
	}
	return err
}
