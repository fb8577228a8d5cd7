package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A pathFlag is the path of a file or folder, or "".
type pathFlag struct {
	value string
	given bool
	from  string // "the default" or "from .fastmigrate", if it is not given
}

func (p *pathFlag) String() string { return p.value }

func (p *pathFlag) Set(s string) error {
	p.value, p.given = s, true
	return checkPath(s)
}

// sourceName matches the name of a data source, as database/sql and other tools take it.
// The group is its path.
var sourceName = regexp.MustCompile(`(?i)^(?:(?:file|sqlite3?):(?://)?|[a-z][a-z0-9+.-]+://)?([^?]*)(?:\?\w+=[^#]*)?$`)

// checkPath returns an error if s is no path, such as the name of a data source, and says
// which path may be meant. A file that exists may have any name.
func checkPath(s string) error {
	if s == "" {
		return errors.New("path is empty") // such as a variable of the shell that is not set
	}
	if _, err := os.Lstat(s); err == nil {
		return nil
	}
	m := sourceName.FindStringSubmatch(s)
	switch {
	case m != nil && (m[1] == ":memory:" || m[1] != s && strings.Contains(s, "mode=memory")):
		return errors.New("a database in memory ends with this process; want a path, as in data.db")
	case strings.HasPrefix(s, "~/"):
		return errors.New(`the shell did not expand ~; want a path, as in "$HOME` + s[1:] + `"`)
	case m != nil && m[1] != s:
		path, err := url.PathUnescape(m[1])
		if err != nil {
			path = m[1]
		}
		return errors.New("want a path, as in " + wording.CommandLine(cmp.Or(path, "data.db")))
	}
	return nil
}

// configuredFlag defines a flag for a path. Not given, it has the value in the
// configuration file, or else the fallback; with the fallback "" it stays empty. See
// lookUp.
func configuredFlag(fs *flag.FlagSet, name, fallback, usage string) *pathFlag {
	if fs.Lookup("config") == nil {
		fs.Var(&pathFlag{}, "config", "`FILE`: read --db and --migrations from FILE where not given (default .fastmigrate)")
	}
	p := &pathFlag{value: fallback}
	fs.Var(p, name, usage)
	return p
}

// dbFlag defines --db.
func dbFlag(fs *flag.FlagSet) *pathFlag {
	return configuredFlag(fs, "db", "data/database.db", "`FILE`: the database")
}

// givenDBFlag defines --db for commands that do without a database when none is given.
func givenDBFlag(fs *flag.FlagSet) *pathFlag {
	return configuredFlag(fs, "db", "", "`FILE`: the database (default none)")
}

// migrationsFlags defines --migrations, and what define does.
func migrationsFlags(fs *flag.FlagSet, define func(*flag.FlagSet, *gen.Options)) *migrations {
	m := &migrations{pathFlag: configuredFlag(fs, "migrations", "migrations", "`DIR`: the migrations directory")}
	define(fs, &m.opts)
	return m
}

// gapsFlag defines --gaps.
func gapsFlag(fs *flag.FlagSet, opts *gen.Options) {
	fs.BoolVar(&opts.Gaps, "gaps", false, "accept gaps between the numbers, as fastmigrate does")
}

// noProgramsFlag defines --no-programs for the commands that only read.
func noProgramsFlag(fs *flag.FlagSet, opts *gen.Options) {
	fs.BoolVar(&opts.NoPrograms, "no-programs", false, "do not run migrations in Go, Python and shell; take the schema after them from lockstep_gen.go, if it records them")
}

// versionFlag defines a flag for the number of a migration.
func versionFlag(fs *flag.FlagSet, name, usage string, set func(lockstep.Version)) {
	fs.Var(choice{func(s string) error {
		n, err := strconv.ParseUint(s, 10, 0)
		if err != nil || n == 0 || n > 9999 {
			return errors.New("want the number of a migration, as in 0007")
		}
		set(lockstep.Version(n))
		return nil
	}, migrationsIn(fs, func(f filename.Name) string { return f.Version.String() + "\t" + f.String() })}, name, usage)
}

// timeoutFlag defines --timeout. In no time at all, not one try would fit.
func timeoutFlag(fs *flag.FlagSet) *time.Duration {
	timeout := time.Minute
	fs.Func("timeout", "`DURATION`: how long to wait while others have the database locked (default 1m)", func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return errors.New("want a duration, as in 500ms, 30s or 2m")
		}
		timeout = d
		return nil
	})
	return &timeout
}

// allowFlag defines --allow.
func allowFlag(fs *flag.FlagSet) *[]lockstep.Option {
	var allowed []lockstep.Option
	fs.Func("allow", "`DIGEST`: accept a diverged or drifted database that reports this digest (may be repeated)", func(s string) error {
		for _, digest := range strings.Split(s, ",") {
			if !strings.HasPrefix(digest, "d1:") {
				return errors.New("want the digest that a refusal names, as in d1:…")
			}
			allowed = append(allowed, lockstep.WithAllowed(digest))
		}
		return nil
	})
	return &allowed
}

// directoryArg sets --migrations to the one argument of a command.
func directoryArg(fs *flag.FlagSet, arg string) error {
	if err := pathArg(arg); err != nil {
		return err
	}
	if m := fs.Lookup("migrations").Value.(*pathFlag); m.given {
		return usage(fmt.Sprintf("found argument %q beside --migrations; want one directory", arg))
	}
	if info, err := os.Stat(arg); fs.Lookup("db") != nil && (err != nil || !info.IsDir()) {
		return usage(fmt.Sprintf("found argument %q; want the migrations directory, or --db %s", arg, wording.CommandLine(arg)))
	}
	return fs.Set("migrations", arg)
}

// pathArg is checkPath for an argument.
func pathArg(s string) error {
	if err := checkPath(s); err != nil {
		return usage(strings.TrimPrefix(s+": ", ": ") + err.Error())
	}
	return nil
}

// parse parses flags, which may come before, between and after the arguments, and returns
// the arguments.
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
		return usage(text)
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, hyphened(f.Name)) })
	bare := strings.TrimLeft(name, "-")
	hint := cmp.Or(elsewhere(bare), didYouMean(name, names), elsewhere(strings.TrimLeft(otherNames[bare], "-")))
	return usage("no flag " + name + hint)
}

// elsewhere says which commands have the flag, or "".
func elsewhere(name string) string {
	var have []string
	for _, c := range commands() {
		if fs, _, _ := c.flags(); fs.Lookup(name) != nil {
			have = append(have, c.name)
		}
	}
	if len(have) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s is a flag of %s", hyphened(name), strings.Join(have, ", "))
}

// hyphened returns the flag as the user writes it.
func hyphened(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
