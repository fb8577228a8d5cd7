package suite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// look returns what Inspect says of the file.
func (t *test) look(s *lockstep.Schema) string {
	t.Helper()
	db := t.open(Settings{})
	defer db.Close()
	st, err := lockstep.Inspect(t.Context(), db, s)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s managed=%v version=%v\n", strings.ReplaceAll(st.DB, t.path, "data.db"), st.Managed, st.Version)
	for _, a := range st.Applied {
		fmt.Fprintf(&b, "applied %v %s\n", a.Version, a.File)
		if a.At.IsZero() || a.Program == "" {
			t.Errorf("got %+v", a)
		}
	}
	for _, m := range st.Pending {
		fmt.Fprintf(&b, "pending %v %s\n", m.Version, m.File)
	}
	for _, o := range st.Objects {
		fmt.Fprintf(&b, "%s %s\n", o.Type, o.Name)
	}
	for _, d := range st.Changed {
		fmt.Fprintf(&b, "changed %s\n", d.Detail)
	}
	for _, o := range st.Extra {
		fmt.Fprintf(&b, "extra %s %s\n", o.Type, o.Name)
	}
	if st.Refusal != nil {
		first, _, _ := strings.Cut(t.text(st.Refusal), "\n")
		fmt.Fprintf(&b, "refusal %s\n", first)
	}
	return b.String()
}

func inspectsManaged(t *test) {
	t.claim("SaysWhatIsPending", func(t *test) {
		t.migrate(upTo(1, notes))
		before := t.bytes()
		t.same("state", t.look(t.schema(upTo(2, notes))), `data.db managed=true version=0001
applied 0001 0001-notes.sql
pending 0002 0002-tags.sql
table notes
table _meta
table _lockstep_history
refusal data.db: at version 0001, this program expects 0002: pending 0002-tags.sql
`)
		t.untouched(before)
	})
	t.claim("SaysWhatHasDrifted", func(t *test) {
		t.migrate(upTo(3, notes))
		t.exec("DROP INDEX tags_by_tag", "CREATE TABLE scratch (n)")
		before := t.bytes()
		t.same("state", t.look(t.schema(upTo(3, notes))), `data.db managed=true version=0003
applied 0001 0001-notes.sql
applied 0002 0002-tags.sql
applied 0003 0003-index-tags.sql
table notes
table tags
trigger lower_tags
table _meta
table _lockstep_history
table scratch
changed index tags_by_tag: missing
extra table scratch
refusal data.db: at version 0003, but its tables differ: index tags_by_tag: missing; to start anyway, allow d1:…
`)
		t.untouched(before)
	})
}

func inspectsOthers(t *test) {
	t.claim("SaysThatADatabaseIsUnmanaged", func(t *test) {
		t.exec("CREATE TABLE scratch (n)")
		t.same("state", t.look(t.schema(upTo(1, notes))), `data.db managed=false version=0000
table scratch
refusal data.db: 1 table and no version: not managed
`)
	})
	t.claim("SaysThatADatabaseIsAhead", func(t *test) {
		t.migrate(upTo(2, notes))
		t.same("state", t.look(t.schema(upTo(1, notes))), `data.db managed=true version=0002
applied 0001 0001-notes.sql
applied 0002 0002-tags.sql
table notes
table tags
table _meta
table _lockstep_history
refusal data.db: at version 0002, this program expects 0001: written by a newer program, not opened
`)
	})
	t.claim("ReturnsWhyTheVersionCannotBeRead", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec("UPDATE _meta SET version = 'two'")
		_, err := lockstep.Inspect(t.Context(), t.open(Settings{}), t.schema(upTo(2, notes)))
		if !errors.Is(err, lockstep.ErrUnreadable) {
			t.Errorf("got %v, want ErrUnreadable", err)
		}
		t.says(err, `data.db: cannot read the version: _meta says version "two"; want a whole number`)
	})
}
