package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// help prints the overview, or the manual of a command or topic.
func help(stdout io.Writer, args []string) error {
	switch {
	case len(args) == 0:
		printOverview(stdout)
		return nil
	case len(args) > 1:
		return errors.New("help: want the name of one command\n\tlockstep help")
	case args[0] == "json":
		fmt.Fprint(stdout, jsonManual)
		return nil
	}
	cmd, err := find(args[0])
	if err == nil {
		printManual(stdout, cmd)
	}
	return err
}

func printOverview(w io.Writer) {
	fmt.Fprint(w, `Lockstep carries a SQLite database from version to version together with the
Go program that is written for it.

Usage:

	lockstep COMMAND [flags] [arguments]

Commands:

`)
	for _, cmd := range commands() {
		fmt.Fprintf(w, "	%-9s %s\n", cmd.name, cmd.short)
	}
	fmt.Fprint(w, `
From nothing to a migrated database:

	lockstep init                  # migrations/migrations.go, and what to do next
	lockstep new initialize        # migrations/0001-initialize.sql, to be filled in
	go generate ./...              # migrations/lockstep_gen.go
	lockstep create --db data.db   # an empty database at version 0000
	lockstep migrate --db data.db  # what the program does when it starts
	lockstep status --db data.db

Where --db and --migrations are not given, they come from the section [paths] of
the file .fastmigrate in the current folder, if there is one, and otherwise are
data/database.db and migrations; but check and schema look at a database only when
--db is given. All flags may be written with one hyphen or two, before or after the
arguments.

Exit codes: 0 done; 1 the thing asked about is not so (stale, behind, refused,
problems found); 2 there is no answer (usage, unreadable, locked, interrupted).

"lockstep help COMMAND" explains a command, "lockstep help json" what -json
prints.
`)
}

// printManual prints what "lockstep help NAME" and "lockstep NAME -h" say.
func printManual(w io.Writer, cmd command) {
	fs := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	cmd.flags(fs)
	jsonFlag(fs)
	fmt.Fprintf(w, "Usage: lockstep %s\n\n%s\n\nFlags:\n\n", strings.TrimSpace(cmd.name+" "+cmd.args), strings.TrimSpace(cmd.long))
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		text = strings.TrimPrefix(text, value+": ")
		if _, ok := f.Value.(interface{ IsBoolFlag() bool }); ok {
			value = ""
		}
		if p, ok := f.Value.(*pathFlag); ok && p.fallback != "" {
			text += " (default from .fastmigrate, or " + p.fallback + ")"
		} else if value != "" && f.DefValue != "" && f.DefValue != "0" {
			text += " (default " + strings.TrimSuffix(f.DefValue, "0s") + ")"
		}
		fmt.Fprintf(w, "  %s\n    	%s\n", strings.TrimSpace("-"+f.Name+" "+value), text)
	})
}

const jsonManual = `With -json a command prints one JSON object to standard output, whatever happens, but
for mistakes on the command line. The exit code is the same as without. Standard error
has nothing but what migrations that are programs write, and the progress that a
terminal sees.

	{
	  "result": …,      what the command did or found out, or null;
	                    "lockstep help COMMAND" lists its fields
	  "warnings": [],   file, line, col, fact, command
	  "errors": []      empty when the exit code is 0
	}

Each error has

	kind     problem      in a migration or in Go code: has file, line, col, fact,
	                      command
	         stale        lockstep_gen.go is not what the migrations say
	         behind, ahead, diverged, drift, foreign-key, unmanaged
	                      the database is refused: has db, version and expected
	                      (but unmanaged, which has none), and where they apply
	                      pending, differences (type, name, want, found, detail),
	                      violations (table, parent, count, before, rows,
	                      mismatch), digest, backup (diverged: the way back;
	                      else the one made before the upgrade)
	         migration    one did not succeed: has db, version, file, line, and
	                      backup if one was made
	         missing      there is no such file
	         exists       the file, or a version of the database, is there already
	         differs      the schemas are not the same
	         ambiguous    of several the user has to say which
	         backward     the database is past the version asked for
	         backup       no backup could be made, and nothing was done (exit code 2)
	         busy         the database stayed locked (exit code 2)
	         unreadable   no database, or damaged (exit code 2)
	         other        any other reason (exit code 2)
	message  what is printed without -json

Versions are numbers, in texts and in names of files they have four digits.
Times are UTC in the form of RFC 3339. Fields may be added, not renamed. A field
that does not apply is left out of errors and warnings, and is null or empty in
results.
`
