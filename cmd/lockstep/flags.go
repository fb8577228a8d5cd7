package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// jsonFlag defines --json, which all commands have.
func jsonFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("json", false, "print one JSON object: lockstep help json")
}

// A pathFlag is --db or --migrations. One that is not given gets its value from the
// configuration file, or is its fallback.
type pathFlag struct {
	value    string
	given    bool
	key      string // in the configuration file
	fallback string
	config   *fileFlag
}

func (p *pathFlag) String() string { return p.value }

func (p *pathFlag) Set(s string) error {
	p.given = true
	return (*fileFlag)(&p.value).Set(s)
}

// dbFlag defines --db.
func dbFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{key: "db", fallback: "data/database.db", config: configFlag(fs)}
	fs.Var(p, "db", "`FILE`: the database")
	return p
}

// givenDBFlag defines --db for commands that do without a database when none is given.
func givenDBFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{}
	fs.Var(p, "db", "`FILE`: the database (default none)")
	return p
}

// migrationsFlag defines --migrations.
func migrationsFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{key: "migrations", fallback: "migrations", config: configFlag(fs)}
	fs.Var(p, "migrations", "`DIR`: the migrations directory")
	return p
}

// configFlag defines --config, once for each command that has --db or --migrations.
func configFlag(fs *flag.FlagSet) *fileFlag {
	if f := fs.Lookup("config"); f != nil {
		return f.Value.(*fileFlag)
	}
	var c fileFlag
	fs.Var(&c, "config", "`FILE`: read --db and --migrations from FILE where not given (default .fastmigrate)")
	return &c
}

// A fileFlag is the path of a file, or "" when not given.
type fileFlag string

func (f *fileFlag) String() string { return string(*f) }

func (f *fileFlag) Set(s string) error {
	if s == "" {
		return errors.New("path is empty") // such as a variable of the shell that is not set
	}
	*f = fileFlag(s)
	return nil
}

// A timeout is --timeout. Without any time nothing could be tried once.
type timeout time.Duration

// timeoutFlag defines --timeout.
func timeoutFlag(fs *flag.FlagSet) *time.Duration {
	t := timeout(time.Minute)
	fs.Var(&t, "timeout", "`DURATION`: how long to wait while others have the database locked")
	return (*time.Duration)(&t)
}

func (t *timeout) String() string { return time.Duration(*t).String() }

func (t *timeout) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errors.New("want a duration, as in 500ms, 30s or 2m")
	}
	*t = timeout(d)
	return nil
}

// allowFlag defines --allow.
func allowFlag(fs *flag.FlagSet) *string {
	return fs.String("allow", "", "`DIGEST`: accept a diverged or drifted database that reports this digest")
}

// gapsFlag defines --gaps for the commands that call load.
func gapsFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("gaps", false, "accept gaps between the numbers, as fastmigrate does")
}

// noProgramsFlag defines --no-programs for the commands that only read.
func noProgramsFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("no-programs", false, "do not run migrations in Go, Python and shell; the schema after them is the recorded one, or not known")
}

// A versionFlag is the number of a migration, or 0 when not given.
type versionFlag lockstep.Version

func (f *versionFlag) String() string { return "" }

func (f *versionFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 0)
	if err != nil || n == 0 || n > 9999 {
		return errors.New("want the number of a migration, as in 0007")
	}
	*f = versionFlag(n)
	return nil
}

// versionList is a versionFlag that may be repeated.
type versionList []lockstep.Version

func (l *versionList) String() string { return "" }

func (l *versionList) Set(s string) error {
	var v versionFlag
	err := v.Set(s)
	if err == nil {
		*l = append(*l, lockstep.Version(v))
	}
	return err
}

// parse parses flags, which may come before, between and after the arguments, looks up
// the paths that are not given, and returns the arguments.
func parse(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, flagError(fs, err)
		}
		parsed := len(args) - fs.NArg()
		if fs.NArg() == 0 || parsed > 0 && args[parsed-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// hyphen is what package flag writes before the name of a flag.
var hyphen = regexp.MustCompile(`( flag| for|argument:|defined:) -(\w[\w-]+)`)

// flagError puts two hyphens before names, and adds to the error of an unknown flag the
// one that was meant.
func flagError(fs *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	text := hyphen.ReplaceAllString(err.Error(), "$1 --$2")
	var name string
	if _, err := fmt.Sscanf(text, "flag provided but not defined: %s", &name); err != nil {
		return errors.New(text)
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, hyphened(f.Name)) })
	return fmt.Errorf("no flag %s%s", name, didYouMean(name, names))
}

// hyphened returns the flag as the user writes it.
func hyphened(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
