package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime"
)

func newCommand(fs *flag.FlagSet) action {
	m := migrationsFlags(fs, gapsFlag)
	var kinds []string
	for _, kind := range []string{"sql", "go", "py", "sh"} {
		fs.BoolFunc(kind, "make a file that ends in ."+kind, func(string) error {
			kinds = append(kinds, kind)
			return nil
		})
	}
	edit := fs.Bool("e", false, "open the file in $VISUAL or $EDITOR")
	return func(ctx context.Context, s *streams, words []string) (any, error) {
		switch len(kinds) {
		case 0:
			kinds = []string{"sql"}
		case 1:
		default:
			return nil, usage(fmt.Sprintf("--%s and --%s: want one of them", kinds[0], kinds[1]))
		}
		editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
		if *edit && editor == "" {
			return nil, usage("-e: neither $VISUAL nor $EDITOR names an editor; nothing was written")
		}
		made, err := newMigration(m, words, "."+kinds[0])
		if err != nil {
			return nil, err
		}
		if *edit {
			err = openEditor(ctx, s, editor, made.File)
		}
		return made, err
	}
}

func newMigration(m *migrations, words []string, ext string) (*newResult, error) {
	fields := strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == '\t' || r == '_' || r == '-' })
	description := strings.TrimSuffix(strings.ToLower(strings.Join(fields, "-")), ext)
	if description == "" {
		return nil, usage("want words that say what the migration does, as in lockstep new add tags")
	}
	opts, _ := m.options()
	name, err := scaffold.Migration(m.value, description, ext, opts.Gaps)
	if err != nil {
		return nil, inDir(m.value, err)
	}
	return &newResult{File: filepath.Join(m.value, name.String()), Version: name.Version}, nil
}

// openEditor opens the file in an editor, by the shell as git does, so that there
// may be arguments in the command. What it draws goes to standard error: standard
// output is for the path.
func openEditor(ctx context.Context, s *streams, editor, path string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, editor, path)
	if runtime.GOOS == "windows" {
		words := strings.Fields(editor)
		cmd = exec.CommandContext(ctx, words[0], append(words[1:], path)...)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.stderr, s.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: made, but not edited: %s: %w", path, editor, err)
	}
	return nil
}

type newResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
}
