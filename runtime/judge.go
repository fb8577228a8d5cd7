package lockstep

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A verdict is what [judge] says of a database.
type verdict struct {
	refusal *Error           // nil if the database is at the version; ErrBehind if it is to be upgraded
	allowed []*Error         // refusals that the operator has allowed
	extra   []sqltext.Object // objects that no migration made, where the tables were compared
}

// judge compares the state of a database with what the program expects. It is the only
// place that decides, and does nothing else.
func judge(s *Schema, st *state, allowed []string) (v verdict) {
	tables := st.tables()
	diverged := s.diverged(st)
	switch {
	case !st.managed && tables > 0:
		v.refusal = s.refuse(ErrUnmanaged, st)
		v.refusal.Detail = wording.Count(tables, "table") + " and no version"
	case st.version > s.Expected:
		v.refusal = s.refuse(ErrAhead, st)
	case diverged != nil && !v.allows(diverged, allowed):
	case st.version < s.Expected || !st.managed:
		v.refusal = s.refuse(ErrBehind, st)
		for _, m := range s.after(st.version) {
			v.refusal.Pending = append(v.refusal.Pending, m.File)
		}
	default:
		// The cookie changes with the schema, so if it is unchanged there is nothing to compare.
		// VACUUM changes it too, so if it has changed that proves nothing.
		if r := st.newest(); !r.cookie.Valid || r.cookie.Int64 != st.cookie || r.fingerprint != s.Fingerprint {
			v.judgeTables(s, st, allowed)
		}
	}
	return v
}

// judgeTables compares the tables of a database at the expected version with those that
// the migrations produce.
func (v *verdict) judgeTables(s *Schema, st *state, allowed []string) {
	changed, extra, err := s.diff(st.objects)
	if v.extra = extra; err != nil {
		v.refusal = err
	} else if len(changed) > 0 {
		e := s.refuse(ErrDrift, st)
		e.Differences, e.Digest = changed, s.driftDigest(changed)
		v.allows(e, allowed)
	}
}

// allows reports whether the operator has allowed exactly this refusal.
//
//go:noinline
func (v *verdict) allows(e *Error, allowed []string) bool {
	if slices.Contains(allowed, e.Digest) {
		v.allowed = append(v.allowed, e)
		return true
	}
	v.refusal = e
	return false
}

//go:noinline
func (s *Schema) refuse(kind error, st *state) *Error {
	return &Error{Kind: kind, DB: st.db, Version: st.version, Expected: s.Expected}
}

// diverged returns an error if the history of a database differs from the migrations.
// Versions without a row are unknown: another tool applied them.
func (s *Schema) diverged(st *state) (e *Error) {
	about := fmt.Appendf(nil, "diverged\n%v %s\n", s.Expected, s.Digest)
	same, differ := 0, 0
	for i := range st.history {
		r := &st.history[i]
		first, detail := r.Version, s.differs(r, st.version)
		if detail == "" && i > 0 {
			first, detail = s.hole(&st.history[i-1], r)
		}
		if detail == "" {
			same++
			continue
		}
		about = fmt.Appendf(about, "%v %s\n", r.Version, r.Checksum)
		if differ++; differ == 1 {
			e = s.refuse(ErrDiverged, st)
			e.Detail, e.since = detail, first
		}
	}
	switch more := differ - 1; {
	case e == nil:
		return nil
	case more > 0 && same == 0:
		e.Detail += "; the database belongs to another program"
	case more == 1:
		e.Detail += "; 1 later one also differs"
	case more > 1:
		e.Detail += "; " + strconv.Itoa(more) + " later ones also differ"
	}
	e.Digest = sqltext.Refusal(about)
	return e
}

// differs says in what a row of the history of a database at version v differs from the
// migrations, or "".
func (s *Schema) differs(r *row, v Version) string {
	m := s.migration(r.Version)
	switch {
	case r.Version > v:
		return r.File + " was applied, though _meta says " + v.String()
	case m == nil:
		return r.File + " was applied, but this program has no migration " + r.Version.String()
	case r.Checksum == "" || r.Checksum == m.Checksum || slices.Contains(m.Accepted, r.Checksum):
		return ""
	case r.File != m.File:
		return r.File + " was applied, but this program has " + m.File
	}
	return r.File + " was applied with different contents"
}

// hole says which migration is missing between two rows that lockstep wrote when it ran
// theirs, or "".
func (s *Schema) hole(last, next *row) (missing Version, detail string) {
	m := &s.after(last.Version)[0]
	if m.Version < next.Version && last.Checksum != "" && next.Checksum != "" {
		detail = m.File + " was not applied, but " + next.File + " was"
	}
	return m.Version, detail
}

// driftDigest returns the digest by which an operator allows a program to start on a
// database in which these objects are not what they should be.
func (s *Schema) driftDigest(changed []sqltext.Difference) string {
	about := fmt.Appendf(nil, "drift\n%v %s\n", s.Expected, s.Fingerprint)
	for _, d := range changed {
		about = fmt.Appendf(about, "%s %q %q\n", d.Type, d.Name, d.Found)
	}
	return sqltext.Refusal(about)
}
