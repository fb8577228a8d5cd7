package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime"
)

func newCommand() command {
	return command{
		name:  "new",
		args:  "[--migrations DIR] [--sql|--go|--py|--sh] [-e] WORDS...",
		short: "begin the next migration",
		long: `
Makes the file of the next migration, numbered after the last one in the directory
and named after WORDS, and prints its path. The file has a comment that says what to
do. Until you add SQL, the directory does not generate: a migration that does nothing
is a mistake.

Most migrations are SQL. For what SQL cannot do, there are programs:

	--go  a function in the migrations package, which runs in the upgrade's
	      transaction; the file compiles as it is
	--py  a Python script that opens the database itself, run by python3 on a copy
	--sh  the same for the shell, with sqlite3

With -e, it opens the file in your editor, the shell command $VISUAL or else $EDITOR,
and waits for it.

It refuses, and makes nothing, if the files of the directory are not named and
numbered as they should be, or one of them has no SQL yet.

Example:

	$ lockstep new add tags
	migrations/0004-add-tags.sql

With --json, "result" has file and version.`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			migrations := migrationsFlag(fs)
			var kinds []string
			for _, kind := range []string{"sql", "go", "py", "sh"} {
				fs.BoolFunc(kind, "make a file that ends in ."+kind, func(string) error {
					kinds = append(kinds, kind)
					return nil
				})
			}
			edit := fs.Bool("e", false, "open the file in $VISUAL or $EDITOR")
			gaps := gapsFlag(fs)
			return func(ctx context.Context, s *streams, words []string) (result, error) {
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
				made, err := newMigration(migrations.value, words, "."+kinds[0], *gaps)
				if err != nil {
					return nil, err
				}
				if *edit {
					err = openEditor(ctx, s, editor, made.File)
				}
				return made, err
			}
		},
	}
}

func newMigration(dir string, words []string, ext string, gaps bool) (*newResult, error) {
	fields := strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == '\t' || r == '_' || r == '-' })
	description := strings.TrimSuffix(strings.ToLower(strings.Join(fields, "-")), ext)
	if description == "" {
		return nil, usage("want words that say what the migration does, as in lockstep new add tags")
	}
	line, _ := directive(dir)
	name, err := scaffold.Migration(dir, description, ext, gaps || line.Gaps)
	if err != nil {
		return nil, inDir(dir, err)
	}
	return &newResult{File: filepath.Join(dir, name.String()), Version: name.Version}, nil
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
		return fmt.Errorf("%s: made, and not edited: %s: %w", path, editor, err)
	}
	return nil
}

type newResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
}

func (r *newResult) print(w io.Writer) { fmt.Fprintln(w, r.File) }
