package gen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/scanner"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/git"
	"github.com/lockstep-db/lockstep/runtime"
)

// FileName is the name of the generated file.
const FileName = genfile.Name

// A record is what a generated file says about its migrations.
type record struct {
	of  map[lockstep.Version]lockstep.Migration // nil if there is no file
	sql string                                  // the schema after the last of them, or ""
	sum string                                  // its fingerprint
}

// parseRecord reads the source of a generated file.
func parseRecord(source []byte) (record, error) {
	file, err := genfile.Parse(source)
	if err != nil {
		return record{}, err
	}
	r := record{map[lockstep.Version]lockstep.Migration{}, file.SQL, file.Fingerprint}
	for _, m := range file.Migrations {
		r.of[m.Version] = m.Migration
	}
	return r, nil
}

// recordIn returns the record of the generated file in dir, if there is one that can be read.
func recordIn(dir string) (r record) {
	source, err := os.ReadFile(filepath.Join(dir, FileName))
	if err == nil && genfile.IsGenerated(source) {
		r, _ = parseRecord(source)
	}
	return r
}

// before returns the record of the migrations before v.
func (r record) before(v lockstep.Version) record {
	r = record{of: maps.Clone(r.of)}
	maps.DeleteFunc(r.of, func(n lockstep.Version, _ lockstep.Migration) bool { return n >= v })
	return r
}

// newest returns the number of the last migration, or 0.
func (r record) newest() (newest lockstep.Version) {
	for v := range r.of {
		newest = max(newest, v)
	}
	return newest
}

// history is what is recorded about the migrations of a directory: what databases may
// have run.
type history struct {
	file     record // of the generated file in the directory
	head     record // of the one in git's HEAD, which others may have
	problems Problems
	warnings Problems
}

// readHistory reads both records of dir.
func readHistory(ctx context.Context, dir string) (h history, err error) {
	source, err := os.ReadFile(filepath.Join(dir, FileName))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return h, err
	}
	if h.head, err = recordAt(ctx, dir, "HEAD"); err != nil {
		if ctx.Err() != nil {
			return h, ctx.Err()
		}
		h.warnings = append(h.warnings, Problem{File: FileName, Fact: fmt.Sprintf("cannot read what HEAD records: %v", err)})
	}
	if missing {
		return h, nil
	}
	if !genfile.IsGenerated(source) {
		h.problems = append(h.problems, Problem{File: FileName, Fact: genfile.ErrNotGenerated.Error()})
		return h, nil
	}
	// A file that a merge left with conflicts may be replaced if HEAD knows the history.
	if h.file, err = parseRecord(source); err != nil && h.head.of == nil {
		p := Problem{File: FileName, Fact: fmt.Sprintf("cannot be read: %v; %s", err, takeOneSide)}
		var list scanner.ErrorList
		if errors.As(err, &list) {
			p.Line, p.Fact = list[0].Pos.Line, list[0].Msg+"; "+takeOneSide
		}
		h.problems = append(h.problems, p)
	}
	return h, nil
}

const takeOneSide = "take one side of the conflict, then generate"

// recordAt returns the record of a commit, if it has one.
func recordAt(ctx context.Context, dir, rev string) (record, error) {
	source, ok, err := git.Show(ctx, dir, rev, FileName)
	if !ok || err != nil {
		return record{}, err
	}
	return parseRecord([]byte(source))
}

// InHead reports whether git's HEAD records the newest migration in the generated file of
// dir, or a later one.
func InHead(dir string) bool {
	h, err := readHistory(context.Background(), dir)
	return err == nil && h.head.newest() > 0 && h.head.newest() >= h.file.newest()
}

// merged returns what may be the history instead of HEAD when two branches have added
// the same number. One of them has to be renumbered, and its record with it:
//
//   - During a merge, either side's record may be the history: databases may have run
//     the other side's migrations or HEAD's.
//   - A commit that uses a number twice does not generate, so no database has run what
//     it records from that number on. If it is a merge, its parents know better.
func (h history) merged(ctx context.Context, dir string) (others []history) {
	if h.head.of == nil {
		return nil
	}
	at := func(rev string) {
		if head, err := recordAt(ctx, dir, rev); err == nil && head.of != nil {
			others = append(others, history{file: h.file, head: head})
		}
	}
	at("MERGE_HEAD")
	names, err := git.Names(ctx, dir, "ls-tree", "-z", "--name-only", "HEAD")
	if err != nil {
		return others
	}
	if twice := usedTwice(names); twice > 0 {
		at("HEAD^2")
		at("HEAD^1")
		others = append(others, history{file: h.file, head: h.head.before(twice)})
	}
	return others
}

// usedTwice returns the first number that two of the sorted names have, or 0.
func usedTwice(names []string) lockstep.Version {
	last := lockstep.Version(0)
	for _, name := range names {
		if parsed, err := filename.Parse(name); err == nil {
			if parsed.Version == last {
				return last
			}
			last = parsed.Version
		}
	}
	return 0
}

// enforce reports what happened to recorded migrations. They are history: databases have
// run them. Only the newest may still change, until HEAD records it. The user vouches for
// the versions in accept.
//
// It gives each migration the earlier checksums that still count as its own.
func (h history) enforce(d *directory) (problems Problems) {
	report := func(file, fact, command string) {
		problems = append(problems, Problem{File: file, Fact: fact, Command: command})
	}
	current := map[lockstep.Version]*migration{}
	for _, m := range d.migrations {
		m.accepted = nil
		current[m.Version] = m
	}
	newest := h.file.newest()
	recorded := map[lockstep.Version]lockstep.Migration{}
	maps.Copy(recorded, h.file.of)
	maps.Copy(recorded, h.head.of)
	const since = " since " + FileName + " was generated; "
	for v, r := range recorded {
		m, file, head := current[v], h.file.of[v], h.head.of[v]
		free, accepted := v == newest && head.File == "", slices.Contains(d.opts.Accept, v)
		bound := !free && !accepted
		switch {
		case m == nil && !free && d.complete: // databases record it, so accepting changes nothing
			report(r.File, "removed"+since+"applied migrations stay", "write what undoes it as a new migration: lockstep new NAME")
		case m == nil:
		case bound && !same(m.checksum, file, head):
			report(m.name, "changed"+since+"applied migrations do not change", "write the difference as a new migration: lockstep new NAME")
		case bound && m.name != file.File && m.name != head.File:
			report(m.name, "renamed from "+r.File+since+"applied migrations keep their names", "mv "+m.name+" "+r.File)
		case free && !accepted:
			m.accepted = earlier(m.checksum, file.Accepted)
		default:
			m.accepted = earlier(m.checksum, file.Accepted, head.Accepted, []string{head.Checksum, file.Checksum})
		}
	}
	for _, v := range d.opts.Accept {
		if _, ok := recorded[v]; !ok && current[v] == nil {
			report(FileName, fmt.Sprintf("records no migration %v to accept", v), "")
		}
	}
	return problems
}

// holes reports the migrations that arrived after a file was generated with later
// ones: databases that are past them would never run them. Only Options.Gaps lets a
// migration arrive so late: with another branch, for example, whose record is that
// of MERGE_HEAD while git merges.
func (h history) holes(ctx context.Context, d *directory) (problems Problems) {
	migrations, records := d.migrations, []record{h.file, h.head}
	if d.opts.Gaps {
		merging, _ := recordAt(ctx, d.dir, "MERGE_HEAD")
		records = append(records, merging)
	}
	for i, m := range migrations {
		later := ""
		next := m.Name
		next.Version = migrations[len(migrations)-1].Version + 1
		command := "mv " + m.name + " " + next.String()
		for _, r := range records {
			if _, ok := r.of[m.Version]; ok {
				command = "lockstep renumber" // databases may have run this one, too
			} else if j := slices.IndexFunc(migrations[i+1:], func(m *migration) bool { return r.of[m.Version].File != "" }); j >= 0 {
				later = cmp.Or(later, migrations[i+1+j].name)
			}
		}
		if later != "" {
			fact := fmt.Sprintf("numbered before %s, which databases may have run; they would never run this one", later)
			problems = append(problems, Problem{File: m.name, Fact: fact, Command: command})
		}
	}
	return problems
}

// same reports whether the checksum is recorded, or was accepted for what is recorded.
// HEAD's record counts more than the file's, unless the file shows that a change to it
// was accepted since.
func same(checksum string, file, head lockstep.Migration) bool {
	in := func(m lockstep.Migration) bool {
		return checksum == m.Checksum || slices.Contains(m.Accepted, checksum)
	}
	return in(head) || in(file) && (head.Checksum == "" || slices.Contains(file.Accepted, head.Checksum))
}

// earlier returns the checksums of the lists, each once, without the current one.
func earlier(current string, lists ...[]string) (sums []string) {
	for _, sum := range slices.Concat(lists...) {
		if sum != "" && sum != current && !slices.Contains(sums, sum) {
			sums = append(sums, sum)
		}
	}
	return sums
}
