package renumber

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/gen/git"
)

// Apply moves the files, renames the names in Go code, generates with opts, and has
// git's index follow. If the directory does not generate then, everything is put back.
//
// The result has no Source if the directory is no Go package: Options.Plain.
func (p *Plan) Apply(ctx context.Context, opts gen.Options) (*gen.Result, error) {
	tracked := p.tracked(ctx)
	var undo undo
	err := p.change(ctx, &undo)
	var res *gen.Result
	if err == nil {
		res, err = p.generate(ctx, opts)
	}
	if err != nil {
		if failed := undo.run(); failed != nil {
			err = fmt.Errorf("%v\n%v", err, failed)
		}
		return nil, err
	}
	if len(tracked) == 0 {
		return res, nil
	}
	if _, err := git.Run(ctx, p.Dir, append([]string{"add", "--all", "--"}, tracked...)...); err != nil {
		return res, fmt.Errorf("%s: moved, but not in git's index: %w", p.Dir, err)
	}
	return res, nil
}

// generate reads the directory as it is now.
func (p *Plan) generate(ctx context.Context, opts gen.Options) (*gen.Result, error) {
	if p.plain {
		opts.DQS = true // somebody else's choice
		return gen.Load(ctx, p.Dir, opts)
	}
	opts.Renumbered = p.Moves[0].from.Version
	opts.Prove = "none" // go generate comes next
	res, err := gen.Generate(ctx, p.Dir, opts)
	if err == nil {
		err = res.Commit()
	}
	return res, err
}

// undo are the steps that put files back.
type undo []func() error

func (u undo) run() (err error) {
	for _, step := range slices.Backward(u) {
		err = errors.Join(err, step())
	}
	return err
}

// change changes the files.
func (p *Plan) change(ctx context.Context, undo *undo) error {
	generated := filepath.Join(p.Dir, genfile.Name)
	text, err := os.ReadFile(generated)
	*undo = append(*undo, func() error {
		if err != nil {
			os.Remove(generated)
			return nil
		}
		return os.WriteFile(generated, text, 0o666)
	})
	for path, e := range p.edits {
		*undo = append(*undo, func() error { return os.WriteFile(path, e.old, 0o666) })
		if err := os.WriteFile(path, e.new, 0o666); err != nil {
			return err
		}
	}
	for _, m := range slices.Backward(p.Moves) { // so that each finds its place free
		from, to := filepath.Join(p.Dir, m.From), filepath.Join(p.Dir, m.To)
		if _, err := os.Lstat(to); err == nil {
			return gen.Refuse("exists", "%s: exists; nothing was moved", to)
		}
		if m.both {
			if err := p.split(ctx, m, undo); err != nil {
				return err
			}
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return &fs.PathError{Op: "rename", Path: from, Err: errors.Unwrap(err)}
		}
		*undo = append(*undo, func() error { return os.Rename(to, from) })
	}
	return nil
}

// split makes two files again of one that both sides have added.
func (p *Plan) split(ctx context.Context, m Move, undo *undo) error {
	from, to := filepath.Join(p.Dir, m.From), filepath.Join(p.Dir, m.To)
	merged, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	theirs, err := git.Run(ctx, p.Dir, "show", p.Stays+":./"+m.From)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	text := theirs
	for _, side := range []string{":2:./", ":3:./"} { // git's index has both
		if text == theirs {
			if text, err = git.Run(ctx, p.Dir, "show", side+m.From); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
		}
	}
	own := []byte(text)
	if m.from.Ext == ".go" {
		names := map[string]string{genfile.FuncName(m.from.Version): genfile.FuncName(m.to.Version)}
		own = genfile.Apply(own, genfile.Package{}.Rename(from, own, names, nil))
	}
	*undo = append(*undo, func() error { return os.WriteFile(from, merged, 0o666) }, func() error { return os.Remove(to) })
	if err := os.WriteFile(from, []byte(theirs), 0o666); err != nil {
		return err
	}
	return os.WriteFile(to, own, 0o666)
}

// tracked returns the absolute paths, of those that change, that git tracks and that
// have no changes beside git's index: what is staged afterwards is the renumbering.
func (p *Plan) tracked(ctx context.Context) (paths []string) {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil
	}
	files := func(args ...string) map[string]bool {
		set := map[string]bool{}
		names, _ := git.Names(ctx, dir, append([]string{"ls-files", "-z"}, args...)...)
		for _, name := range names {
			set[filepath.Join(dir, filepath.FromSlash(name))] = true
		}
		return set
	}
	edited := slices.Collect(maps.Keys(p.edits))
	tracked := files(append([]string{"--", dir}, edited...)...)
	modified := files(append([]string{"--modified", "--", dir}, edited...)...)
	for _, m := range p.Moves {
		if from := filepath.Join(dir, m.From); tracked[from] {
			paths = append(paths, from, filepath.Join(dir, m.To), filepath.Join(dir, genfile.Name))
		}
	}
	for _, path := range edited {
		if tracked[path] && !modified[path] { // what moves may be there twice
			paths = append(paths, path)
		}
	}
	return paths
}
