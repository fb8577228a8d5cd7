package enroll

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Record is what a tool recorded in a database.
type Record struct {
	Tool       string `json:"tool"`
	Last       string `json:"last"`       // the tool's version
	Migrations int    `json:"migrations"` // that it has applied; 0 if it does not say

	keys []string // in order, as [othertool.Key] writes them
}

func (r *Record) String() string {
	if r.Migrations > 0 {
		return fmt.Sprintf("%s: %d applied, the last %s", r.Tool, r.Migrations, r.Last)
	}
	return r.Tool + ": at " + r.Last
}

// findTools finds the tools whose tables are in the database. A table of the same name with
// other columns is the user's.
func (e *enrollment) findTools(ctx context.Context) error {
	e.tools = []*othertool.Tool{}
	for _, t := range othertool.Tools {
		var columns string
		err := e.db.QueryRowContext(ctx, "SELECT ifnull(group_concat(lower(name), ' ' ORDER BY lower(name)), '') FROM pragma_table_info(?, 'main')", t.Table).Scan(&columns)
		if err != nil {
			return e.db.Named(err)
		}
		if t.Table != "" && columns == t.Columns {
			e.tools = append(e.tools, t)
		}
	}
	return nil
}

// refuseToGuess returns an error if another tool knows which of the migrations the database
// has had, and nobody has asked it: not all of them change the schema.
func (e *enrollment) refuseToGuess() error {
	if e.From != nil || e.At > 0 || len(e.origins) == 0 || len(e.tools) == 0 {
		return nil
	}
	name := e.tools[0].Name
	return gen.Refuse("differs", "%s: has the table of %s, which says what it has applied; not enrolled\n\t%s",
		e.Path, name, wording.CommandLine("lockstep", "enroll", "--from", name, "--db", e.Path))
}

// readRecord reads what the tool of Request.From recorded.
func (e *enrollment) readRecord(ctx context.Context) error {
	if e.From == nil {
		return nil
	}
	found := false
	for _, t := range e.tools { // it may have several kinds of tables
		if t.Name != e.From.Name {
			continue
		}
		found = true
		if len(e.origins) == 0 || e.origins[0].Time == "" {
			e.From = t
		}
	}
	t := e.From
	if found && len(e.origins) > 0 && t.Key(e.origins[0]) == "" && path.Base(e.origins[0].Path) == "migration.sql" {
		return gen.Refuse("differs", "%s: its %s is of %s before 1.0, and these migrations are of 1.0; migrate it with %[3]s 1.0 first; not enrolled", e.Path, t.Table, t.Name)
	}
	if !found && t.Table != "" {
		return gen.Refuse("missing", "%s: no table %s as %s makes it; not enrolled", e.Path, t.Table, t.Name)
	}
	var keys, unfinished []string
	err := sqlite.Each(ctx, e.db, t.Query, func(scan sqlite.Scan) error {
		var text string
		var failed bool
		err := scan(&text, &failed)
		if failed {
			unfinished = append(unfinished, text)
		} else if key := othertool.Key(text); key != "0" || e.from(key) >= 0 {
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		return e.db.Named(err)
	}
	if len(unfinished) > 0 {
		return gen.Refuse("differs", "%s: %s left migration %s unfinished; finish or undo it with %[2]s, then enroll", e.Path, t.Name, wording.Printable(unfinished[0]))
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(e.from(a)-e.from(b), len(a)-len(b), strings.Compare(a, b))
	})
	keys = slices.Compact(keys)
	n := len(keys)
	switch {
	case n == 0:
		return gen.Refuse("missing", "%s: %s recorded no migration; not enrolled", e.Path, t.Name)
	case n > 1 && t.Last:
		return gen.Refuse("differs", "%s: %s has %d rows; %s keeps one", e.Path, t.Table, n, t.Name)
	}
	e.out.From = &Record{Tool: t.Name, Last: wording.Printable(keys[n-1]), keys: keys}
	if !t.Last {
		e.out.From.Migrations = n
	}
	return nil
}

// from returns the index of the origin that the tool knows by the key, or -1.
func (e *enrollment) from(key string) int {
	return slices.IndexFunc(e.origins, func(o othertool.Origin) bool { return e.From.Key(o) == key })
}

// mapped returns the version that the record means by the origins of the migrations. It
// refuses a record that is not of the first of them.
func (e *enrollment) mapped() (lockstep.Version, error) {
	r := e.out.From
	for i, key := range r.keys {
		at := e.from(key)
		switch {
		case at < 0:
			return 0, gen.Refuse("differs", "%s: %s applied %s, but no migration in %s comes from it; undo it with %[2]s, or convert the files again with it among them; not enrolled", e.Path, r.Tool, wording.Printable(key), e.Dir)
		case at > i && !e.From.Last:
			return 0, gen.Refuse("differs", "%s: %s applied %s, but not %s before it; apply that with %[2]s first; not enrolled", e.Path, r.Tool, e.origins[at].Path, e.origins[i].Path)
		}
	}
	name, err := filename.Parse(e.origins[e.from(r.keys[len(r.keys)-1])].File)
	return name.Version, err
}

// meant returns the versions of which the record can mean one, the likeliest first. The
// files may have kept their numbers, or been renumbered by hand: 0001 for 20240131094500. A tool
// that records only the last migration says nothing in the second case.
func (e *enrollment) meant() (versions []lockstep.Version, err error) {
	if len(e.origins) > 0 {
		v, err := e.mapped()
		return []lockstep.Version{v}, err
	}
	r, migrations := e.out.From, e.newest.Migrations
	last := r.keys[len(r.keys)-1]
	isNumber := func(key string) bool {
		return slices.ContainsFunc(migrations, func(m lockstep.Migration) bool { return strconv.Itoa(int(m.Version)) == key })
	}
	if !slices.ContainsFunc(r.keys, func(key string) bool { return !isNumber(key) }) {
		v, _ := strconv.Atoi(last)
		versions = append(versions, lockstep.Version(v))
	}
	n := r.Migrations
	switch {
	case n == 0 && len(versions) == 0:
		return nil, gen.Refuse("missing", "%s: at %s according to %s, but %s has no such number; give the version with --at", e.Path, last, r.Tool, e.Dir)
	case n == 0:
	case n > len(migrations):
		return nil, gen.Refuse("missing", "%s: %s applied %d migrations, but %s has %d; not enrolled", e.Path, r.Tool, n, e.Dir, len(migrations))
	case !slices.Contains(versions, migrations[n-1].Version):
		versions = append(versions, migrations[n-1].Version)
	}
	return versions, nil
}

// choose returns the schema of the version that the record means: the one whose schema
// the database has. If two fit, the wrong one would have a migration run twice, or never,
// so the user has to say.
func (e *enrollment) choose(ctx context.Context, objects []sqltext.Object) (*lockstep.Schema, error) {
	versions, err := e.meant()
	if err != nil {
		return nil, err
	}
	fit, err := e.fitting(ctx, versions, 2, objects)
	if err != nil {
		return nil, err
	}
	switch len(fit) {
	case 0:
		return e.schema(ctx, versions[0]) // the difference is shown
	case 1:
		return fit[0], nil
	}
	return nil, gen.Refuse("differs", "%s: what %s recorded is version %v by number and %v by count, and the schema fits both; choose one with --at",
		e.Path, e.out.From.Tool, fit[0].Expected, fit[1].Expected)
}
