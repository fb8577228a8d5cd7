package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	lockstep "github.com/lockstep-db/lockstep/runtime"
)

func newCommand() command {
	return command{
		name:  "new",
		args:  "[--migrations DIR] [--sql] WORDS...",
		short: "begin the next migration",
		long: `
Makes the file of the next migration, numbered after the last one in the
directory and named after WORDS, and prints its path. In the file is a comment
that says what to do; the SQL is yours. Until there is some, the directory does
not generate: a migration that does nothing is a mistake.

It refuses, and makes nothing, where the files of the directory are not numbered
and named as they should be, or one of them has no SQL yet.

Example:

	$ lockstep new add tags
	migrations/0004-add-tags.sql

With -json, "result" has file and version.`,
		flags: func(fs *flag.FlagSet) action {
			migrations := migrationsFlag(fs)
			sql := fs.Bool("sql", true, "make an .sql file")
			gaps := gapsFlag(fs)
			return func(ctx context.Context, _ *streams, args []string) (result, error) {
				description := describeIn(args)
				if description == "" {
					return nil, usage("want words that say what the migration does, as in lockstep new add tags")
				}
				if !*sql {
					return nil, usage("-sql=false: migrations are .sql files")
				}
				dir, err := migrations.path()
				if err != nil {
					return nil, err
				}
				return newMigration(ctx, dir, description, *gaps)
			}
		},
	}
}

// describeIn makes the description of a file's name from words.
func describeIn(words []string) string {
	fields := strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ' ' || r == '\t' || r == '_' || r == '-' })
	return strings.TrimSuffix(strings.ToLower(strings.Join(fields, "-")), ".sql")
}

func newMigration(ctx context.Context, dir, description string, gaps bool) (result, error) {
	last, err := lastVersion(dir)
	if err != nil {
		return nil, err
	}
	if err := numbering(dir, gaps, last); err != nil {
		return nil, err
	}
	name := lockstep.FileName{Version: last + 1, Description: description, Ext: ".sql"}.String()
	if _, err := lockstep.ParseFileName(name); err != nil {
		return nil, usage(fmt.Sprintf("%s: %v", name, err))
	}
	path := filepath.Join(dir, name)
	if err := writeNew(path, beginning(last+1, description)); err != nil {
		return nil, err
	}
	return &newResult{File: path, Version: last + 1}, nil
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
		if name, err := lockstep.ParseFileName(entry.Name()); err == nil {
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

// beginning is what stands in a new migration.
func beginning(v lockstep.Version, description string) string {
	return fmt.Sprintf(`-- %v: %s
--
-- Write below the SQL that takes a database from version %v to version %v.
-- All pending migrations run in one transaction that is not yours to begin or
-- commit, with foreign keys off; they are checked before it is committed.
--
-- Then run "go generate ./..." and commit this file together with
-- lockstep_gen.go and the code that is written for version %v.

`, v, strings.ReplaceAll(description, "-", " "), v-1, v, v)
}

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
	if err := errors.Join(err, f.Close()); err != nil {
		return fileError(path, err)
	}
	return nil
}

type newResult struct {
	File    string           `json:"file"`
	Version lockstep.Version `json:"version"`
}

func (r *newResult) print(w io.Writer) { fmt.Fprintln(w, r.File) }
