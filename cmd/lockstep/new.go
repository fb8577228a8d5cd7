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
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/runtime"
)

func newCommand() command {
	return command{
		name:  "new",
		args:  "[--migrations DIR] [--sql|--go|--py|--sh] [-e] WORDS...",
		short: "begin the next migration",
		long: `
Makes the file of the next migration, numbered after the last one in the
directory and named after WORDS, and prints its path. In the file is a comment
that says what to do; the SQL is yours. Until there is some, the directory does
not generate: a migration that does nothing is a mistake.

SQL is what most migrations are. For what it cannot do, there are programs:

	--go  a function in the migrations package, which runs in the transaction of the
	      upgrade; the file compiles as it is
	--py  a Python script that opens the database itself, run by python3 on a copy
	--sh  the same for the shell, with sqlite3

With -e, the file is opened in your editor: $VISUAL, or else $EDITOR, a command of
the shell, which is waited for.

It refuses, and makes nothing, where the files of the directory are not numbered
and named as they should be, or one of them has no SQL yet.

Example:

	$ lockstep new add tags
	migrations/0004-add-tags.sql

With --json, "result" has file and version.`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			migrations := migrationsFlag(fs)
			kinds := []struct {
				ext  string
				want *bool
			}{
				{".sql", fs.Bool("sql", false, "make an .sql file (the default)")},
				{".go", fs.Bool("go", false, "make a .go file")},
				{".py", fs.Bool("py", false, "make a .py file")},
				{".sh", fs.Bool("sh", false, "make an .sh file")},
			}
			edit := fs.Bool("e", false, "open the file in $VISUAL or $EDITOR")
			gaps := gapsFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				var ext string
				for _, kind := range kinds {
					if *kind.want && ext != "" {
						return nil, usage(fmt.Sprintf("--%s and --%s: want one of them", ext[1:], kind.ext[1:]))
					}
					if *kind.want {
						ext = kind.ext
					}
				}
				if ext == "" {
					ext = ".sql"
				}
				description := describeIn(args, ext)
				if description == "" {
					return nil, usage("want words that say what the migration does, as in lockstep new add tags")
				}
				editor := ""
				if *edit {
					if editor = cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR")); editor == "" {
						return nil, usage("-e: neither $VISUAL nor $EDITOR names an editor; nothing was written")
					}
				}
				made, err := newMigration(migrations.value, description, ext, *gaps)
				if err != nil {
					return nil, err
				}
				if editor != "" {
					err = openEditor(ctx, s, editor, made.File)
				}
				return made, err
			}
		},
	}
}

// describeIn makes the description of a file's name from words.
func describeIn(words []string, ext string) string {
	fields := strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == '\t' || r == '_' || r == '-' })
	return strings.TrimSuffix(strings.ToLower(strings.Join(fields, "-")), ext)
}

func newMigration(dir, description, ext string, gaps bool) (*newResult, error) {
	last, err := lastVersion(dir)
	if err != nil {
		return nil, err
	}
	if err := numbering(dir, gaps, last); err != nil {
		return nil, err
	}
	name := filename.Name{Version: last + 1, Description: description, Ext: ext}
	if _, err := filename.Parse(name.String()); err != nil {
		return nil, usage(fmt.Sprintf("%s: %v", name, err))
	}
	path := filepath.Join(dir, name.String())
	if err := writeNew(path, beginning(name, gen.PackageName(dir))); err != nil {
		return nil, err
	}
	return &newResult{File: path, Version: name.Version}, nil
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

// lastVersion returns the highest number in the directory, or 0.
func lastVersion(dir string) (last lockstep.Version, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, refuse("missing", "%s: no such directory\n\tlockstep init %s", dir, quoteArg(dir))
	}
	if err != nil {
		return 0, fileError(dir, err)
	}
	for _, entry := range entries {
		if name, err := filename.Parse(entry.Name()); err == nil {
			last = max(last, name.Version)
		}
	}
	return last, nil
}

// numbering returns the problems with files as such. Their SQL may be wrong
// still: that is no obstacle to the next migration, and may be known only to a
// generator program with functions of its own.
func numbering(dir string, gaps bool, last lockstep.Version) error {
	line, _ := directive(dir)
	err := gen.Scan(dir, gen.Options{Gaps: gaps || line.Gaps})
	problems := gen.Problems(nil)
	if err = inDir(dir, err); !errors.As(err, &problems) {
		return err
	}
	var files gen.Problems
	for _, p := range problems {
		if p.Line == 0 && (last > 0 || p.File != filepath.ToSlash(dir)) {
			files = append(files, p)
		}
	}
	if len(files) == 0 {
		return nil
	}
	return files
}

// beginning is what stands in a new migration. pkg is the package that the directory
// is.
func beginning(name filename.Name, pkg string) string {
	text := map[string]string{".sql": beginningSQL, ".go": beginningGo, ".py": beginningPython, ".sh": beginningShell}[name.Ext]
	return strings.NewReplacer(
		"{TITLE}", fmt.Sprintf("%v: %s", name.Version, strings.ReplaceAll(name.Description, "-", " ")),
		"{FROM}", (name.Version - 1).String(),
		"{TO}", name.Version.String(),
		"{FILE}", name.String(),
		"{PACKAGE}", pkg,
	).Replace(text)
}

const beginningSQL = `-- {TITLE}
--
-- Write below the SQL that takes a database from version {FROM} to version {TO}.
-- All pending migrations run in one transaction that is not yours to begin or
-- commit, with foreign keys off; they are checked before it is committed.
--
-- Then run "go generate ./..." and commit this file together with
-- lockstep_gen.go and the code that is written for version {TO}.

`

const beginningGo = `package {PACKAGE}

import (
	"context"

	"github.com/lockstep-db/lockstep/runtime"
)

// {TITLE}
//
// migrate{TO} takes a database from version {FROM} to version {TO}. It runs in the
// transaction of all pending migrations, which is not its to begin or commit, with
// foreign keys off; they are checked before it is committed. An error undoes them all.
//
// The tables will change again, and this file will not: it calls nothing that is
// written for the newest version.
//
// Then run "go generate ./..." and commit this file together with lockstep_gen.go and
// the code that is written for version {TO}.
func migrate{TO}(ctx context.Context, tx lockstep.Tx) error {
	// _, err := tx.ExecContext(ctx, "UPDATE ...")
	return nil
}
`

const beginningPython = `# {TITLE}
#
# Write below what takes a database from version {FROM} to version {TO}. It is run as
# "python3 {FILE} DATABASE", on a private copy of the database, which
# takes its place when all pending migrations have run. An exit code other than 0
# undoes them all. Foreign keys are off by default in Python's sqlite3, as they are
# in SQL migrations: they are checked at the end.
#
# Then run "go generate ./..." and commit this file together with lockstep_gen.go and
# the code that is written for version {TO}.

import sqlite3
import sys

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
# db.execute("UPDATE ...")
db.execute("COMMIT")
db.close()
`

const beginningShell = `# {TITLE}
#
# Write below what takes a database from version {FROM} to version {TO}. It is run as
# "sh {FILE} DATABASE", on a private copy of the database, which takes
# its place when all pending migrations have run. An exit code other than 0 undoes
# them all. Foreign keys are off by default in sqlite3, as they are in SQL migrations:
# they are checked at the end.
#
# Then run "go generate ./..." and commit this file together with lockstep_gen.go and
# the code that is written for version {TO}.

set -eu

sqlite3 -bail "$1" <<'END'
BEGIN;
-- UPDATE ...
COMMIT;
END
`

// writeNew writes a file that must not exist.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return refuse("exists", "%s: exists; nothing was written", path)
	}
	if err != nil {
		return fileError(path, err)
	}
	_, err = io.WriteString(f, text)
	if err := cmp.Or(err, f.Close()); err != nil {
		os.Remove(path) // part of a file is worse than none
		return fileError(path, err)
	}
	return nil
}

type newResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
}

func (r *newResult) print(w io.Writer) { fmt.Fprintln(w, r.File) }
