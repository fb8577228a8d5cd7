// Lockstep keeps a SQLite database and the Go program that uses it at the same
// version.
//
// Usage:
//
//	lockstep COMMAND [flags] [arguments]
//
// A directory of numbered SQL files, 0001-initialize.sql, 0002-add-tags.sql and
// so on, is a Go package. "lockstep generate" replays the files in SQLite and
// writes lockstep_gen.go beside them. A program that imports the package calls its
// Migrate at startup. If that returns nil, the database is at exactly the version
// the program was compiled for; otherwise the error says why not.
//
// From nothing to a migrated database:
//
//	lockstep init                 # write migrations/migrations.go and a test
//	lockstep new initialize       # begin migrations/0001-initialize.sql
//	go generate ./...             # write migrations/lockstep_gen.go
//	lockstep create --db data.db  # make an empty database at version 0000
//	lockstep migrate --db data.db # do what the program does at startup
//	lockstep status --db data.db
//
// "lockstep help" lists commands, topics and exit codes; "lockstep help NAME" explains
// a command or a topic.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func main() {
	if isVettool(os.Args[1:]) {
		vettool()
	}
	// An upgrade that is interrupted rolls back and says so.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A command is a subcommand. Its manual is in help/commands.
type command struct {
	name      string
	takesArgs bool // besides flags

	// define defines the command's flags and returns what runs once they are parsed.
	define func(*flag.FlagSet) action
}

// flags defines all flags of the command.
func (c command) flags() (fs *flag.FlagSet, act action, asJSON *bool) {
	fs = flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // its errors are reworded, its usage is ours
	act = c.define(fs)
	return fs, act, fs.Bool("json", false, "print one JSON object: lockstep help json")
}

// commands returns the subcommands in the order in which a user meets them.
func commands() []command {
	return []command{
		{"init", true, initCommand},
		{"new", true, newCommand},
		{"generate", false, generateCommand},
		{"check", false, checkCommand},
		{"vet", true, vetCommand},
		{"create", false, createCommand},
		{"try", false, tryCommand},
		{"migrate", false, migrateCommand},
		{"status", false, statusCommand},
		{"backup", false, backupCommand},
		{"restore", true, restoreCommand},
		{"redo", false, redoCommand},
		{"enroll", false, enrollCommand},
		{"renumber", false, renumberCommand},
		{"schema", false, schemaCommand},
		{"rows", false, rowsCommand},
		{"completion", true, completionCommand},
		{"version", false, versionCommand},
	}
}

func commandNames() (names []string) {
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	return names
}

// An action does the work of a command. It returns what is worth printing, even beside an
// error: the template named for the command prints it, or with --json it is the value of
// "result".
type action func(ctx context.Context, s *streams, args []string) (any, error)

// streams is where a command writes what is not its result.
type streams struct {
	stderr   io.Writer
	warnings gen.Problems
	progress progress // a command starts it

	migrating atomic.Bool // programs run on a database: print what they print
}

// run is the command without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printOverview(stderr)
		return 2
	}
	name, args := args[0], args[1:]
	switch {
	case isHelp(name):
		return complain(stderr, help(stdout, args), nil)
	case name == "-version" || name == "--version":
		name = "version"
	case name == completeName:
		complete(ctx, stdout, args)
		return 0
	}
	cmd, err := find(name)
	if err != nil {
		return complain(stderr, err, nil)
	}

	fs, act, asJSON := cmd.flags()
	args, err = parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printManual(stdout, cmd)
		return 0
	case err == nil && len(args) == 1 && !cmd.takesArgs && fs.Lookup("migrations") != nil:
		err = directoryArg(fs, args[0])
	case err == nil && len(args) > 0 && !cmd.takesArgs:
		text := fmt.Sprintf("found argument %q; want flags only", args[0])
		switch {
		case fs.Lookup("migrations") != nil:
			text = fmt.Sprintf("found %d arguments; want one directory", len(args))
		case fs.Lookup("db") != nil && len(args) == 1 && (name != "create" || strings.ContainsAny(args[0], "./")):
			text = fmt.Sprintf("found argument %q; want --db %s", args[0], wording.CommandLine(args[0]))
		case name == "create":
			text += "; to begin a migration: " + wording.CommandLine(append([]string{"lockstep", "new"}, args...)...)
		}
		err = usage(text)
	}
	if err == nil {
		err = lookUp(ctx, fs)
	}
	s := &streams{stderr: stderr}
	var res any
	if err == nil {
		res, err = act(ctx, s, args)
		s.progress.stop()
	}
	if exit := gen.Exit(0); errors.As(err, &exit) {
		return int(exit) // another process has done it
	}
	if err == context.Canceled { // it has no place, and no more to say
		err = fmt.Errorf("%s: interrupted: %w", name, err)
	}
	if u := usage(""); errors.As(err, &u) {
		return complain(stderr, fmt.Errorf("%s: %s\n\tlockstep help %s", name, u, name), nil)
	}
	if *asJSON {
		return reportJSON(stdout, stderr, res, s.warnings, err, fs)
	}
	if res != nil {
		_, e := io.WriteString(stdout, wording.PrintableLines(resultText(name, res)))
		err = both{err, e}
	}
	for _, w := range s.warnings {
		fmt.Fprintln(stderr, "warning:", wording.PrintableLines(asStarted(w.Error())))
	}
	return complain(stderr, err, fs)
}

// find returns the command of that name. Its error names what else there is that
// was meant, or the topics, if there are any to choose from.
func find(name string, topics ...string) (command, error) {
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		return all[i], nil
	}
	hint := didYouMean(name, append(topics, commandNames()...))
	switch {
	case strings.HasPrefix(name, "-"):
		hint = "; flags come after the command, as in lockstep status --db FILE"
	case otherNames[name] == "restore":
		hint = "; there is no way down but a backup" + hint
	case hint == "" && len(topics) > 0:
		hint = "; topics are " + strings.Join(topics, ", ")
	}
	return command{}, fmt.Errorf("%s: no such command%s\n\tlockstep help", name, hint)
}

// usage is the error for a mistake on the command line.
type usage string

func (u usage) Error() string { return string(u) }

// otherNames has what other tools call commands and flags.
var otherNames = map[string]string{
	"setup": "init", "install": "init",
	"add": "new", "make": "new", "migration": "new",
	"lint": "check", "validate": "check", "verify": "check",
	"dry-run": "try", "plan": "try", "test": "try",
	"up": "migrate", "apply": "migrate", "deploy": "migrate", "latest": "migrate", "run": "migrate", "upgrade": "migrate",
	"info": "status", "history": "status", "list": "status", "log": "status", "ls": "status",
	"down": "restore", "downgrade": "restore", "reset": "restore", "revert": "restore", "rollback": "restore", "undo": "restore",
	"baseline": "enroll", "force": "enroll", "mark": "enroll", "stamp": "enroll",
	"fix": "renumber", "rebase": "renumber", "rename": "renumber",
	"diff": "schema", "dump": "schema", "fill": "rows", "seed": "rows",
	"database": "--db", "dsn": "--db", "url": "--db", "path": "--migrations", "dir": "--migrations", "source": "--migrations",
	"target": "--to", "config_path": "--config", "verbose": "-v",
}

// didYouMean returns "; did you mean X?" if name is another name for X, one of names, or
// begins it or is close to it.
func didYouMean(name string, names []string) string {
	name = strings.ToLower(name)
	bare := strings.TrimLeft(name, "-")
	for _, n := range strings.Fields(otherNames[bare]) {
		if slices.Contains(names, n) {
			return "; did you mean " + n + "?"
		}
	}
	best, least := "", min(2, len(bare)/2)+1
	for _, n := range names {
		d := distance(bare, strings.TrimLeft(n, "-"))
		if len(name) > 2 && strings.HasPrefix(n, name) {
			d = 0
		}
		if d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance returns how many bytes have to be added, removed or replaced to make
// b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
