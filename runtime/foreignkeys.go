package lockstep

import (
	"context"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// fkReport is the violated foreign keys of a database.
type fkReport struct {
	tables  map[string]bool // that exist, in lower case
	orphans []sqlite.Orphans
}

// foreignKeys checks all foreign keys of the database.
func (c *conn) foreignKeys(ctx context.Context, objects []sqltext.Object) (*fkReport, error) {
	r := &fkReport{tables: make(map[string]bool)}
	for _, o := range objects {
		if o.Type == "table" {
			r.tables[sqltext.Fold(o.Name)] = true
		}
	}
	var err error
	r.orphans, err = sqlite.FindOrphans(ctx, c.Conn, objects)
	return r, err
}

func (r *fkReport) String() string {
	items := make([]string, len(r.orphans))
	for i, o := range r.orphans {
		items[i] = Violation{Table: o.Table, Parent: o.Parent, Mismatch: o.Mismatch, Count: o.Count}.String()
	}
	return strings.Join(items, "; ")
}

// since returns what is worse than in the report before. The upgrade did not make rows
// orphans that were orphans before, even if it renamed their table.
func (r *fkReport) since(before *fkReport) (violations []Violation) {
	was, is := before.counts(), r.counts()
	moved := 0
	for pair, n := range was {
		if !r.knows(pair) {
			moved += max(0, n-is[pair])
		}
	}
	for _, o := range r.orphans {
		pair := pairOf(o)
		had := was[pair]
		more := o.Count - had
		if more > 0 && !before.knows(pair) {
			known := min(more, moved)
			more -= known
			moved -= known
		}
		if more > 0 {
			violations = append(violations, Violation{Table: o.Table, Parent: o.Parent, Mismatch: o.Mismatch, Count: more, Before: had, Rows: o.Rows})
		}
	}
	return violations
}

// fkPair is the tables of a foreign key, in lower case: an upgrade may have rebuilt them
// under names in another case.
type fkPair struct {
	child, parent string
	mismatch      bool
}

func pairOf(o sqlite.Orphans) fkPair {
	return fkPair{sqltext.Fold(o.Table), sqltext.Fold(o.Parent), o.Mismatch}
}

// counts returns the number of orphans.
func (r *fkReport) counts() map[fkPair]int {
	counts := make(map[fkPair]int, len(r.orphans))
	for _, o := range r.orphans {
		counts[pairOf(o)] += o.Count
	}
	return counts
}

// knows reports whether both tables of the pair exist.
func (r *fkReport) knows(p fkPair) bool { return r.tables[p.child] && r.tables[p.parent] }
