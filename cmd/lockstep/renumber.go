package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/git"
	"github.com/lockstep-db/lockstep/gen/gomod"
	"github.com/lockstep-db/lockstep/runtime"
)

func renumberCommand() command {
	return command{
		name:  "renumber",
		args:  "[-n] [--onto BRANCH] [--move FILE]... [flags]",
		short: "move a branch's own migrations behind those of the branch it met",
		long: `
After a merge or a rebase in which both sides have added the same number, moves the
migrations of one side behind those of the other, in their order: the files, the Go
functions migrateNNNN, the pins in the module's code, and lockstep_gen.go, which is
generated. Files that git tracks are moved in git's index, too. Nothing is changed
unless the migrations generate afterwards.

Which side stays where it is, git says:

	in a merge       what is merged in stays, and this branch's own move; but when
	                 another branch is merged into the main branch, that one's move
	in a rebase      what has been rebased onto stays (HEAD)
	otherwise        what is in the main branch stays; or with --onto, in BRANCH

The main branch is the one that the remote origin calls its HEAD, else origin/main,
origin/master, main or master. Migrations that stand there never move: databases may
have been through them.

Where git does not tell, or there is none, --move names the files that move.

A database that has been through a migration under its old number, such as your own,
is diverged from then on. Put the backup of before back, or begin a new one.

Example:

	$ lockstep renumber
	migrations/0012-add-tags.sql: now 0013-add-tags.sql
	store.go:9: V0012AddTags: now V0013AddTags
	migrations/lockstep_gen.go: generated, version 0013

With --json, "result" has stays (the commit or branch whose migrations stay; "" with
--move), moves (from, to), names (file, line, from, to), dryRun, version, generated
(the path of lockstep_gen.go; "" for a directory that is no Go package) and pins
(those that the new version breaks, as of generate).`,
		flags: func(fs *flag.FlagSet) action {
			migrations := migrationsFlag(fs)
			r := &renumbering{}
			fs.StringVar(&r.onto, "onto", "", "`BRANCH`: the migrations in this branch or commit stay where they are")
			fs.Var((*stringList)(&r.named), "move", "`FILE`: move this migration behind all others (may be repeated, in order)")
			fs.BoolVar(&r.dryRun, "dry-run", false, "print what would be done, and do nothing")
			fs.BoolVar(&r.dryRun, "n", false, "short for --dry-run")
			gaps := gapsFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				if r.onto != "" && len(r.named) > 0 {
					return nil, usage("--onto and --move: want one of them")
				}
				r.dir = migrations.value
				return r.run(ctx, s, *gaps)
			}
		},
	}
}

// stringList is the value of a flag that may be repeated.
type stringList []string

func (l *stringList) String() string     { return "" }
func (l *stringList) Set(s string) error { *l = append(*l, s); return nil }

// A renumbering is one run of the command.
type renumbering struct {
	dir    string
	onto   string
	named  []string // files that move
	dryRun bool

	main  string // the main branch, if stays was chosen without the user
	stays string // the commit whose migrations stay; "" if the user has named files
	own   string // the commit whose migrations move, if a merge or a rebase is under way
	moves []move

	edits   map[string]*edit // Go files, by path
	renamed []renamedName
}

// A move gives a migration another number.
type move struct {
	From string `json:"from"`
	To   string `json:"to"`

	from, to lockstep.FileName
	both     bool // both sides have a file of this name: the other's stays
}

// A renamedName is a name in Go code that has a number in it.
type renamedName struct {
	File string `json:"file"`
	Line int    `json:"line"`
	From string `json:"from"`
	To   string `json:"to"`
}

func (r *renumbering) run(ctx context.Context, s *streams, gaps bool) (result, error) {
	files, err := migrationFiles(r.dir)
	if err != nil {
		return nil, err
	}
	line, isPackage := directive(r.dir)
	line.Gaps = line.Gaps || gaps
	if _, err := os.Stat(filepath.Join(r.dir, gen.FileName)); err == nil {
		isPackage = true
	}
	if len(r.named) > 0 {
		err = r.planNamed(files)
	} else {
		err = r.plan(ctx, files, line.Gaps)
	}
	if err != nil {
		return nil, err
	}
	out := &renumberResult{Dir: r.dir, Stays: r.stays, Moves: []move{}, Names: []renamedName{}, DryRun: r.dryRun, Pins: []genfile.Pin{}}
	if len(r.moves) == 0 {
		for _, name := range files {
			out.Version = max(out.Version, name.Version)
		}
		return out, nil
	}
	out.Moves = append(out.Moves, r.moves...)
	if err := r.rename(ctx); err != nil {
		return nil, err
	}
	out.Names = append(out.Names, r.renamed...)
	if r.dryRun {
		out.Version = r.moves[len(r.moves)-1].to.Version
		return out, nil
	}

	tracked := r.tracked(ctx)
	undo, err := r.apply(ctx)
	if err != nil {
		return nil, join(err, undo())
	}
	line.Renumbered = r.moves[0].from.Version
	for _, m := range r.moves {
		line.Renumbered = min(line.Renumbered, m.from.Version)
	}
	read := generate
	if !isPackage {
		read = load // there is nothing to generate for
	}
	res, err := read(ctx, s, r.dir, line)
	if err == nil && isPackage {
		err = inDir(r.dir, res.Commit())
		out.Generated = filepath.Join(r.dir, gen.FileName)
	}
	if err != nil {
		return nil, join(err, undo())
	}
	out.Version = res.Schema.Expected
	if err := r.stage(ctx, tracked); err != nil {
		return out, fmt.Errorf("%s: moved, but not in git's index: %w", r.dir, err)
	}
	out.Pins, err = brokenPins(ctx, res)
	return out, err
}

// migrationFiles returns the migrations in dir, in order of name. A file that is not
// named as it should be is left to generate.
func migrationFiles(dir string) (files []lockstep.FileName, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("missing", "%s: no such directory\n\tlockstep init %s", dir, quoteArg(dir))
	}
	if err != nil {
		return nil, fileError(dir, err)
	}
	for _, entry := range entries {
		if name, err := lockstep.ParseFileName(entry.Name()); err == nil {
			files = append(files, name)
		}
	}
	return files, nil
}

// planNamed plans to move the files that the user has named.
func (r *renumbering) planNamed(files []lockstep.FileName) error {
	var stay, moving []lockstep.FileName
	for _, name := range r.named {
		i := slices.IndexFunc(files, func(f lockstep.FileName) bool { return f.String() == filepath.Base(name) })
		if i < 0 {
			return refuse("missing", "%s: no migration %s", r.dir, filepath.Base(name))
		}
		if slices.Contains(moving, files[i]) {
			return usage(fmt.Sprintf("--move %s: given twice", name))
		}
		moving = append(moving, files[i])
	}
	for _, f := range files {
		if !slices.Contains(moving, f) {
			stay = append(stay, f)
		}
	}
	slices.SortStableFunc(moving, func(a, b lockstep.FileName) int { return int(a.Version - b.Version) })
	return r.behind(stay, moving)
}

// plan finds out which migrations stay, and plans to move the others if they are in
// the way.
func (r *renumbering) plan(ctx context.Context, files []lockstep.FileName, gaps bool) error {
	if err := r.sides(ctx); err != nil {
		return err
	}
	if r.stays == "" {
		if twice := usedTwice(files); twice != nil {
			return r.cannotTell(twice)
		}
		return nil
	}
	names, err := git.Names(ctx, r.dir, "ls-tree", "-z", "--name-only", r.stays)
	if err != nil {
		return fileError(r.dir, err)
	}
	var stay, own []lockstep.FileName
	for _, f := range files {
		if slices.Contains(names, f.String()) {
			stay = append(stay, f)
		} else {
			own = append(own, f)
		}
	}
	both, err := r.addedByBoth(ctx)
	if err != nil {
		return err
	}
	own = append(own, both...)
	slices.SortStableFunc(own, func(a, b lockstep.FileName) int { return int(a.Version - b.Version) })
	if twice := cmp.Or(usedTwice(stay), usedTwice(own)); twice != nil {
		return r.cannotTell(twice)
	}
	if len(own) == 0 {
		return nil
	}
	if last := lastOf(stay); own[0].Version > last && (gaps || own[0].Version == last+1) {
		return nil // they are behind already
	}
	if err := r.behind(stay, own); err != nil {
		return err
	}
	for i, m := range r.moves {
		if r.moves[i].both = slices.Contains(both, m.from); !r.moves[i].both && r.isIn(ctx, r.main, m.From) {
			return refuse("ambiguous", "%s: is in %s, where migrations never move, and not in %s\n\tlockstep renumber --migrations %s --onto %s",
				filepath.Join(r.dir, m.From), r.main, r.stays, quoteArg(r.dir), quoteArg(r.main))
		}
	}
	return nil
}

// usedTwice returns the migrations of the first number that more than one has.
func usedTwice(files []lockstep.FileName) *[]lockstep.FileName {
	for i, f := range files {
		same := []lockstep.FileName{f}
		for _, g := range files[i+1:] {
			if g.Version == f.Version {
				same = append(same, g)
			}
		}
		if len(same) > 1 {
			return &same
		}
	}
	return nil
}

func (r *renumbering) cannotTell(twice *[]lockstep.FileName) error {
	var names []string
	for _, f := range *twice {
		names = append(names, f.String())
	}
	tells := cmp.Or(r.stays, "git")
	return refuse("ambiguous", "%s: %s have the same number, and %s does not tell which of them moves\n\tlockstep renumber --migrations %s --move %s",
		r.dir, strings.Join(names, " and "), tells, quoteArg(r.dir), names[len(names)-1])
}

func lastOf(files []lockstep.FileName) (last lockstep.Version) {
	for _, f := range files {
		last = max(last, f.Version)
	}
	return last
}

// behind plans the moves of migrations to the numbers behind those that stay.
func (r *renumbering) behind(stay, moving []lockstep.FileName) error {
	for next := lastOf(stay) + 1; len(moving) > 0; next++ {
		to := moving[0]
		to.Version = next
		if next > 9999 {
			return refuse("missing", "%s: no number is left for %v", r.dir, moving[0])
		}
		if to != moving[0] {
			r.moves = append(r.moves, move{From: moving[0].String(), To: to.String(), from: moving[0], to: to})
		}
		moving = moving[1:]
	}
	return nil
}

// sides finds out from git which commit's migrations stay. In a rebase git calls ours
// what has been rebased onto, and theirs the commit that is being applied.
func (r *renumbering) sides(ctx context.Context) error {
	if r.onto != "" {
		if !git.HasCommit(ctx, r.dir, r.onto) {
			return refuse("missing", "%s: git knows no commit or branch %s", r.dir, r.onto)
		}
		r.stays = r.onto
	}
	if _, err := git.Run(ctx, r.dir, "rev-parse", "--git-dir"); err != nil {
		return ctx.Err() // no git, or no repository
	}
	main := r.mainBranch(ctx)
	if r.onto == "" {
		r.main = main
	}
	switch {
	case git.HasCommit(ctx, r.dir, "MERGE_HEAD"):
		stays, own := "MERGE_HEAD", "HEAD"
		if r.onMain(ctx, main) && !r.pulling(ctx, main) {
			stays, own = own, stays
		}
		if r.onto == "" {
			r.stays = stays
		}
		r.own = own
	case r.rebasing(ctx):
		if r.onto == "" {
			r.stays = "HEAD"
		}
		if !strings.HasPrefix(main, "origin/") {
			r.main = "" // it may be what is being rebased
		}
		for _, applied := range []string{"REBASE_HEAD", "CHERRY_PICK_HEAD"} {
			if r.own == "" && git.HasCommit(ctx, r.dir, applied) {
				r.own = applied
			}
		}
	case r.onto == "":
		r.stays = main
	}
	return nil
}

// rebasing reports whether a rebase or a cherry-pick is under way.
func (r *renumbering) rebasing(ctx context.Context) bool {
	for _, name := range []string{"rebase-merge", "rebase-apply"} {
		path := git.Line(ctx, r.dir, "rev-parse", "--git-path", name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.dir, path)
		}
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return git.HasCommit(ctx, r.dir, "CHERRY_PICK_HEAD")
}

// mainBranch returns the branch whose migrations never move, as it is known here
// without the commits of the current branch, or "".
func (r *renumbering) mainBranch(ctx context.Context) string {
	current := git.Line(ctx, r.dir, "symbolic-ref", "--quiet", "--short", "HEAD")
	if main := git.Line(ctx, r.dir, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"); main != "" {
		return main
	}
	for _, main := range []string{"origin/main", "origin/master", "main", "master"} {
		if main != current && git.HasCommit(ctx, r.dir, "refs/heads/"+main) || git.HasCommit(ctx, r.dir, "refs/remotes/"+main) {
			return main
		}
	}
	return ""
}

// onMain reports whether the current branch is the main branch.
func (r *renumbering) onMain(ctx context.Context, main string) bool {
	current := git.Line(ctx, r.dir, "symbolic-ref", "--quiet", "--short", "HEAD")
	if main = strings.TrimPrefix(main, "origin/"); main == "" {
		return current == "main" || current == "master"
	}
	return current == main
}

// pulling reports whether what is merged into the main branch is what others have
// published there.
func (r *renumbering) pulling(ctx context.Context, main string) bool {
	for _, published := range []string{main, "@{upstream}"} {
		if strings.HasPrefix(published, "origin/") || published == "@{upstream}" {
			if _, err := git.Run(ctx, r.dir, "merge-base", "--is-ancestor", "MERGE_HEAD", published); err == nil {
				return true
			}
		}
	}
	return false
}

// addedByBoth returns the migrations that both sides of a merge or a rebase have
// added under one name. In the folder is what git has made of the two.
func (r *renumbering) addedByBoth(ctx context.Context) (both []lockstep.FileName, err error) {
	unmerged, err := git.Names(ctx, r.dir, "ls-files", "-z", "--unmerged", ".")
	if err != nil {
		return nil, fileError(r.dir, err)
	}
	stages := map[string]string{}
	for _, entry := range unmerged { // mode, object, stage, TAB, name
		meta, name, _ := strings.Cut(entry, "\t")
		stages[name] += meta[len(meta)-1:]
	}
	for name, in := range stages {
		parsed, err := lockstep.ParseFileName(name)
		if err != nil {
			continue
		}
		if in != "23" || r.own == "" {
			return nil, refuse("problem", "%s: is in conflict, and not because two branches added it; resolve that first", filepath.Join(r.dir, name))
		}
		both = append(both, parsed)
	}
	slices.SortFunc(both, func(a, b lockstep.FileName) int { return int(a.Version - b.Version) })
	return both, nil
}

// An edit is a Go file in which names change.
type edit struct {
	old, new []byte
}

// rename plans the changes to Go code: the functions of Go migrations in the
// package, and the pins in the module.
func (r *renumbering) rename(ctx context.Context) error {
	r.edits = map[string]*edit{}
	functions, pins := map[string]string{}, map[string]string{}
	kept := map[string]bool{} // functions that a migration has which stays or comes there
	files, err := migrationFiles(r.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Ext == ".go" && !slices.ContainsFunc(r.moves, func(m move) bool { return m.from == f && !m.both }) {
			kept[function(f)] = true
		}
	}
	for _, m := range r.moves {
		if m.from.Ext == ".go" {
			functions[function(m.from)] = function(m.to)
		}
		if !m.both { // else the pin may be the other's
			pins[genfile.PinName(m.from)] = genfile.PinName(m.to)
		}
	}

	// In the package, the other branch's files mean the other branch's functions.
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return fileError(r.dir, err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".go" || name == gen.FileName || !entry.Type().IsRegular() {
			continue
		}
		i := slices.IndexFunc(r.moves, func(m move) bool { return m.From == name })
		mapping := functions
		switch _, err := lockstep.ParseFileName(name); {
		case i >= 0:
			mapping = map[string]string{function(r.moves[i].from): function(r.moves[i].to)}
		case err == nil:
			continue // a migration that stays
		case r.isIn(ctx, r.stays, name):
			mapping = map[string]string{}
			for from, to := range functions {
				if !kept[from] {
					mapping[from] = to
				}
			}
		}
		if i >= 0 && r.moves[i].both {
			continue // what is in the folder is not this branch's; apply writes it
		}
		r.edit(filepath.Join(r.dir, name), func(text []byte) []genfile.Edit {
			return genfile.Package{}.Rename(name, text, mapping, nil)
		})
	}
	return r.renamePins(ctx, pins)
}

func function(f lockstep.FileName) string { return "migrate" + f.Version.String() }

// isIn reports whether a commit, or "" for none, has the file.
func (r *renumbering) isIn(ctx context.Context, rev, name string) bool {
	if rev == "" {
		return false
	}
	_, err := git.Run(ctx, r.dir, "cat-file", "-e", rev+":./"+name)
	return err == nil
}

// renamePins plans the changes to what is pinned in the module.
func (r *renumbering) renamePins(ctx context.Context, pins map[string]string) error {
	module, err := gomod.Find(r.dir)
	if err != nil || module == nil {
		return err
	}
	importPath, err := module.ImportPath(r.dir)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(r.dir)
	if err != nil {
		return err
	}
	pkg := genfile.Package{Dir: dir, Path: importPath, Name: gen.PackageName(r.dir)}
	return module.GoFiles(ctx, func(path string, text []byte) {
		if filepath.Base(path) != gen.FileName {
			r.edit(path, func(text []byte) []genfile.Edit { return pkg.Rename(path, text, nil, pins) })
		}
	})
}

// edit plans to change the names that find returns.
func (r *renumbering) edit(path string, find func(text []byte) []genfile.Edit) {
	if abs, err := filepath.Abs(path); err == nil {
		path = fromHere(abs)
	}
	e := r.edits[path]
	if e == nil {
		text, err := os.ReadFile(path)
		if err != nil {
			return // it is left to the compiler
		}
		e = &edit{text, text}
	}
	edits := find(e.new)
	if len(edits) == 0 {
		return
	}
	e.new, r.edits[path] = genfile.Apply(e.new, &edits), e
	for _, edit := range edits {
		r.renamed = append(r.renamed, renamedName{path, edit.At.Line, edit.Old, edit.New})
	}
}

// apply changes the files. undo puts them back.
func (r *renumbering) apply(ctx context.Context) (undo func() error, err error) {
	var steps []func() error
	undo = func() (err error) {
		for _, step := range slices.Backward(steps) {
			err = errors.Join(err, step())
		}
		return err
	}
	generated := filepath.Join(r.dir, gen.FileName)
	if text, err := os.ReadFile(generated); err == nil {
		steps = append(steps, func() error { return os.WriteFile(generated, text, 0o666) })
	} else {
		steps = append(steps, func() error { os.Remove(generated); return nil })
	}
	for path, e := range r.edits {
		steps = append(steps, func() error { return rewrite(path, e.old) })
		if err := rewrite(path, e.new); err != nil {
			return undo, fileError(path, err)
		}
	}
	for _, m := range slices.Backward(r.moves) { // so that each finds its place free
		from, to := filepath.Join(r.dir, m.From), filepath.Join(r.dir, m.To)
		if _, err := os.Lstat(to); err == nil {
			return undo, refuse("exists", "%s: exists; nothing was moved", to)
		}
		if m.both {
			if err := r.split(ctx, m, &steps); err != nil {
				return undo, err
			}
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return undo, fileError(from, err)
		}
		steps = append(steps, func() error { return os.Rename(to, from) })
	}
	return undo, nil
}

// split makes two files again of one that both sides have added.
func (r *renumbering) split(ctx context.Context, m move, steps *[]func() error) error {
	from, to := filepath.Join(r.dir, m.From), filepath.Join(r.dir, m.To)
	merged, err := os.ReadFile(from)
	if err != nil {
		return fileError(from, err)
	}
	theirs, err := git.Run(ctx, r.dir, "show", r.stays+":./"+m.From)
	if err != nil {
		return fileError(from, err)
	}
	own, err := git.Run(ctx, r.dir, "show", r.own+":./"+m.From)
	if err != nil {
		return fileError(from, err)
	}
	if m.from.Ext == ".go" {
		edits := genfile.Package{}.Rename(from, []byte(own), map[string]string{function(m.from): function(m.to)}, nil)
		own = string(genfile.Apply([]byte(own), &edits))
	}
	*steps = append(*steps, func() error { return os.WriteFile(from, merged, 0o666) }, func() error { return os.Remove(to) })
	if err := rewrite(from, []byte(theirs)); err != nil {
		return fileError(from, err)
	}
	return writeNew(to, own)
}

// tracked returns the paths, of those that change, that git tracks and that have no
// changes of the user's beside git's index: what is staged then is the renumbering.
func (r *renumbering) tracked(ctx context.Context) (paths []string) {
	clean := func(dir, name string) bool {
		if _, err := git.Run(ctx, dir, "ls-files", "--error-unmatch", "--", name); err != nil {
			return false
		}
		_, err := git.Run(ctx, dir, "diff", "--quiet", "--", name)
		return err == nil
	}
	migrations := false
	for _, m := range r.moves {
		if _, err := git.Run(ctx, r.dir, "ls-files", "--error-unmatch", "--", m.From); err == nil {
			paths = append(paths, filepath.Join(r.dir, m.From), filepath.Join(r.dir, m.To))
			migrations = true
		}
	}
	for path := range r.edits {
		// (git does not know a file any more that has moved.)
		if _, err := lockstep.ParseFileName(filepath.Base(path)); err != nil && clean(filepath.Dir(path), filepath.Base(path)) {
			paths = append(paths, path)
		}
	}
	if migrations {
		paths = append(paths, filepath.Join(r.dir, gen.FileName))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// stage has git's index follow.
func (r *renumbering) stage(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	args := []string{"add", "--all", "--"}
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		args = append(args, abs)
	}
	_, err := git.Run(ctx, r.dir, args...)
	return err
}

type renumberResult struct {
	Dir     string           `json:"-"`
	Stays   string           `json:"stays"`
	Moves   []move           `json:"moves"`
	Names   []renamedName    `json:"names"`
	DryRun  bool             `json:"dryRun"`
	Version lockstep.Version `json:"version"`
	Pins    []genfile.Pin    `json:"pins"`

	Generated string `json:"generated"`
}

func (r *renumberResult) print(w io.Writer) {
	if len(r.Moves) == 0 {
		fmt.Fprintf(w, "%s: at version %v, nothing to renumber\n", r.Dir, r.Version)
		return
	}
	now := "now"
	if r.DryRun {
		now = "would be"
	}
	for _, m := range r.Moves {
		fmt.Fprintf(w, "%s: %s %s\n", filepath.Join(r.Dir, m.From), now, m.To)
	}
	for _, n := range r.Names {
		fmt.Fprintf(w, "%s:%d: %s: %s %s\n", n.File, n.Line, n.From, now, n.To)
	}
	if r.Generated != "" {
		fmt.Fprintf(w, "%s: generated, version %v\n", r.Generated, r.Version)
	}
	(&generateResult{Pins: r.Pins}).print(w)
}
