package vet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/git"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Since returns what is wrong with the SQL that the program had at a git revision, with
// the schema that it has now, and was right with its own: what the migrations since then
// break. Files are named as git does, "v1.4.0:store.go".
//
// The revision is checked out into a temporary folder, where go vet reads it with the
// new schema, from an overlay. Nothing of it is run.
func (v *Vet) Since(ctx context.Context, rev string) ([]Finding, error) {
	if !git.HasCommit(ctx, ".", rev) {
		return nil, fmt.Errorf("git knows no revision %s here; a clone without history may lack it\n\tgit fetch --tags --unshallow", rev)
	}
	top := git.Line(ctx, ".", "rev-parse", "--show-toplevel")
	names, err := git.Names(ctx, top, "ls-tree", "-r", "-z", "--name-only", rev)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, name := range names {
		if path.Base(name) != genfile.Name || strings.Contains("/"+name, "/testdata/") || strings.Contains("/"+name, "/vendor/") {
			continue
		}
		source, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
		if err != nil {
			continue // a package that was moved since
		}
		now, err := genfile.Parse(source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		schema := &lockstep.Schema{SQL: now.SQL}
		for _, m := range now.Migrations {
			schema.Migrations = append(schema.Migrations, m.Migration)
		}
		if c, ok := changeSince(ctx, top, rev, name, schema); ok {
			changes = append(changes, c)
		}
	}
	return v.broken(ctx, top, rev, changes)
}

// Release returns the newest release before the commit that dir is at, if it is in a
// clone that has its tag, and what a new schema of dir breaks of it. It looks only if a
// table or view of that release is another now, and asks no network.
func Release(ctx context.Context, dir string, schema *lockstep.Schema) (tag string, found []Finding) {
	module, err := gomod.Find(dir)
	if err != nil || module == nil {
		return "", nil
	}
	prefix := git.Line(ctx, module.Root, "rev-parse", "--show-prefix") // as Go has it in tags
	tag = git.Line(ctx, module.Root, "describe", "--tags", "--abbrev=0", "--match="+prefix+"v[0-9]*")
	name := git.Line(ctx, dir, "rev-parse", "--show-prefix") + genfile.Name
	if !semver.IsValid(strings.TrimPrefix(tag, prefix)) {
		return "", nil
	}
	top := git.Line(ctx, dir, "rev-parse", "--show-toplevel")
	c, ok := changeSince(ctx, top, tag, name, schema)
	if !ok {
		return "", nil
	}
	before, _ := sqltext.ParseSchema(c.before)
	now, _ := sqltext.ParseSchema(schema.SQL)
	changed, _ := sqltext.Diff(before, now)
	if !slices.ContainsFunc(changed, func(d sqltext.Difference) bool { return d.Type == "table" || d.Type == "view" }) {
		return "", nil
	}
	v := &Vet{Packages: []string{"./..."}, dir: module.Root, env: []string{"GOPROXY=off"}}
	found, _ = v.broken(ctx, top, tag, []change{c}) // what does not compile is no news here
	return tag, found
}

// A change is that of the schema of a migrations package since a revision.
type change struct {
	name   string // of the generated file, in git
	source []byte // of it, then
	before string // the schema, then
	now    string // and now
	since  []lockstep.Migration
}

func changeSince(ctx context.Context, top, rev, name string, now *lockstep.Schema) (c change, ok bool) {
	source, _, _ := git.Show(ctx, top, rev, name)
	then, err := genfile.Parse([]byte(source))
	if err != nil || then.SQL == "" || then.SQL == now.SQL {
		return c, false
	}
	return change{name, []byte(source), then.SQL, now.SQL, now.Migrations[min(len(then.Migrations), len(now.Migrations)-1):]}, true
}

// broken returns what the changes break of the revision.
func (v *Vet) broken(ctx context.Context, top, rev string, changes []change) (found []Finding, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", rev, err)
		}
	}()
	folder, remove, err := workTree(ctx, top, rev)
	if err != nil {
		return nil, err
	}
	defer remove()
	old := *v
	old.Why = false
	old.dir = filepath.Join(folder, filepath.FromSlash(git.Line(ctx, v.dir, "rev-parse", "--show-prefix")))
	changed := old
	changed.texts = map[string][]byte{}
	for _, c := range changes {
		newest := c.since[len(c.since)-1]
		changed.texts[filepath.Join(folder, filepath.FromSlash(c.name))] = genfile.WithSchema(c.source, newest.Version, c.now)
	}
	found, err = changed.Run(ctx)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	before, err := old.Run(ctx)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f Finding) bool {
		return f.Category == "stale" || slices.ContainsFunc(before, f.isAt) // the overlay has no migrations
	})
	if len(changes) == 1 {
		old.attribute(ctx, top, folder, changes[0], found)
	}
	for i := range found {
		f := &found[i]
		if name, err := filepath.Rel(folder, f.File); err == nil {
			f.File = rev + ":" + filepath.ToSlash(name)
		}
		if f.Broken > 0 && !strings.HasPrefix(f.Fact, "at version") {
			f.Fact = fmt.Sprintf("at version %v: %s", f.Broken, f.Fact)
		}
	}
	return found, nil
}

// attribute has each finding say what is said with the first schema with which it is
// wrong.
func (v *Vet) attribute(ctx context.Context, top, folder string, c change, found []Finding) {
	file := filepath.FromSlash(c.name)
	then := *v
	for n, m := range c.since {
		first := slices.Clone(found) // with the last schema
		if n < len(c.since)-1 {
			res, err := gen.Load(ctx, filepath.Dir(filepath.Join(top, file)), gen.Options{To: m.Version, Gaps: true, DQS: true, NoUpgrade: true})
			if err != nil {
				return
			}
			then.texts = map[string][]byte{filepath.Join(folder, file): genfile.WithSchema(c.source, m.Version, res.Schema.SQL)}
			if first, err = then.Run(ctx); err != nil {
				return
			}
		}
		for i := range found {
			if j := slices.IndexFunc(first, found[i].isAt); j >= 0 && found[i].Broken == 0 {
				found[i] = first[j]
				found[i].Broken = m.Version
			}
		}
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Broken == 0 }) {
			return
		}
	}
}

// isAt reports whether both are about the same.
func (f *Finding) isAt(other Finding) bool {
	return f.File == other.File && f.Line == other.Line && f.Col == other.Col && f.Category == other.Category
}

// workTree checks the revision out into a temporary folder, with a name that is the same
// each time, so that the go command finds in its cache what it compiled there.
func workTree(ctx context.Context, top, rev string) (folder string, remove func(), err error) {
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(top + "\x00" + rev))
	folder = filepath.Join(temp, fmt.Sprintf("lockstep-vet-%x", sum[:6]))
	if err = os.Mkdir(folder, 0o700); err != nil { // another process has it, or left it
		if folder, err = os.MkdirTemp(temp, "lockstep-vet-"); err != nil {
			return "", nil, err
		}
	}
	remove = func() {
		git.Run(context.WithoutCancel(ctx), top, "worktree", "remove", "--force", folder)
		os.RemoveAll(folder)
	}
	_, err = git.Run(ctx, top, "-c", "core.hooksPath="+os.DevNull, "worktree", "add", "--quiet", "--detach", folder, rev)
	if err != nil {
		remove()
	}
	return folder, remove, err
}
