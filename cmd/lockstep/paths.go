package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// configFile is where fastmigrate keeps the paths of a project.
const configFile = ".fastmigrate"

// A pathFlag is --db or --migrations. One that is not given is looked up in the
// file .fastmigrate of the current folder, or the one that --config names, and then
// has a default.
type pathFlag struct {
	name     string // of the flag and of the key in the file
	fallback string
	value    string
	given    bool
	config   *configFlag
}

func dbFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{name: "db", fallback: "data/database.db", config: configFlagOf(fs)}
	fs.Var(p, "db", "`FILE`: the database")
	return p
}

// givenDBFlag is for commands that do without a database when none is given.
func givenDBFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{name: "db", config: configFlagOf(fs)}
	fs.Var(p, "db", "`FILE`: the database (default none)")
	return p
}

func migrationsFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{name: "migrations", fallback: "migrations", config: configFlagOf(fs)}
	fs.Var(p, "migrations", "`DIR`: the migrations directory")
	return p
}

// A configFlag is --config, which every command has that has --db or --migrations.
type configFlag struct{ path string }

func configFlagOf(fs *flag.FlagSet) *configFlag {
	if f := fs.Lookup("config"); f != nil {
		return f.Value.(*configFlag)
	}
	c := &configFlag{}
	fs.Var(c, "config", "`FILE`: where --db and --migrations stand that are not given, in place of .fastmigrate")
	return c
}

func (c *configFlag) String() string { return c.path }

func (c *configFlag) Set(s string) error {
	if s == "" {
		return errors.New("path is empty")
	}
	c.path = s
	return nil
}

// A newFileFlag is the path of a file that a command makes, or "".
type newFileFlag string

func (f *newFileFlag) String() string { return "" }

func (f *newFileFlag) Set(s string) error {
	if s == "" {
		return errors.New("path is empty") // a variable of the shell that is not set, say
	}
	*f = newFileFlag(s)
	return nil
}

func (p *pathFlag) String() string { return p.value }

func (p *pathFlag) Set(s string) error {
	if s == "" {
		return errors.New("path is empty")
	}
	p.value, p.given = s, true
	return nil
}

// path returns the path that the flag stands for.
func (p *pathFlag) path() (string, error) {
	if p.given {
		return p.value, nil
	}
	file := configFile
	if p.config != nil && p.config.path != "" {
		file = p.config.path
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && file == configFile {
		return p.fallback, nil
	}
	if err != nil {
		return "", fileError(file, err)
	}
	paths, err := parseConfig(file, string(text))
	if err != nil {
		return "", err
	}
	if path := paths[p.name]; path != "" {
		return path, nil
	}
	return p.fallback, nil
}

// paths returns the paths that --db and --migrations stand for.
func paths(db, migrations *pathFlag) (file, dir string, err error) {
	if file, err = db.path(); err != nil {
		return "", "", err
	}
	dir, err = migrations.path()
	return file, dir, err
}

// parseConfig returns the keys db and migrations of the section [paths] of a
// .fastmigrate file. It reads what Python's configparser reads, and refuses what that
// refuses, but for a byte-order mark, which editors leave.
//
// https://docs.python.org/3/library/configparser.html#supported-ini-file-structure
func parseConfig(name, text string) (map[string]string, error) {
	c, err := parseINI(name, text)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]string)
	if _, ok := c.sections["paths"]; !ok {
		return paths, nil
	}
	for _, key := range []string{"db", "migrations"} {
		v, ok := c.lookup(key)
		if !ok {
			continue
		}
		if paths[key], err = c.value(key, v, 1); err != nil {
			return nil, err
		}
		if strings.Contains(paths[key], "\n") {
			return nil, c.wrong(v.last, "an indented line continues the value of %s; want it to begin where %s does", key, key)
		}
	}
	return paths, nil
}

// config is a file of sections.
type config struct {
	name     string
	sections map[string]map[string]configValue
}

// A configValue is a value as it stands in the file.
type configValue struct {
	text       string
	line, last int // at which it begins and ends
}

func (c *config) wrong(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", c.name, line, fmt.Sprintf(format, args...))
}

func parseINI(name, text string) (*config, error) {
	c := &config{name, map[string]map[string]configValue{}}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	section, key, keyIndent := "", "", 0
	for i, line := range strings.Split(text, "\n") {
		i++
		trimmed := strings.TrimSpace(line)
		indent := strings.Index(line, trimmed)
		keys := c.sections[section]
		switch {
		case trimmed == "" && key != "":
			v := keys[key]
			v.text += "\n" // it is dropped if nothing comes behind it
			keys[key] = v
			continue
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case key != "" && indent > keyIndent:
			v := keys[key]
			v.text, v.last = v.text+"\n"+trimmed, i
			keys[key] = v
			continue
		}
		keyIndent = indent
		if end := strings.LastIndexByte(trimmed, ']'); trimmed[0] == '[' && end > 1 {
			section, key = trimmed[1:end], ""
			if c.sections[section] == nil {
				c.sections[section] = map[string]configValue{}
			} else if section != "DEFAULT" {
				return nil, c.wrong(i, "[%s] is there twice", section)
			}
			continue
		}
		if section == "" {
			return nil, c.wrong(i, "found %q before the first section; want [paths]", trimmed)
		}
		n := strings.IndexAny(trimmed, "=:")
		if n <= 0 {
			return nil, c.wrong(i, "found %q; want KEY = VALUE", trimmed)
		}
		key = strings.ToLower(strings.TrimSpace(trimmed[:n]))
		if _, ok := keys[key]; ok {
			return nil, c.wrong(i, "%s is given twice", key)
		}
		keys[key] = configValue{strings.TrimSpace(trimmed[n+1:]), i, i}
	}
	return c, nil
}

// lookup finds a key in [paths], or else in [DEFAULT].
func (c *config) lookup(key string) (configValue, bool) {
	for _, section := range []string{"paths", "DEFAULT"} {
		if v, ok := c.sections[section][key]; ok {
			v.text = strings.TrimRightFunc(v.text, unicode.IsSpace)
			return v, true
		}
	}
	return configValue{}, false
}

// value puts the values of other keys in place of %(key)s, and % for %%.
func (c *config) value(key string, v configValue, depth int) (string, error) {
	if depth > 10 { // configparser's limit
		return "", c.wrong(v.line, "%s holds itself by way of %%(…)s", key)
	}
	var b strings.Builder
	for rest := v.text; ; {
		before, after, ok := strings.Cut(rest, "%")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		if strings.HasPrefix(after, "%") {
			b.WriteByte('%')
			rest = after[1:]
			continue
		}
		end := strings.IndexByte(after, ')')
		if end < 1 || after[0] != '(' || !strings.HasPrefix(after[end+1:], "s") {
			return "", c.wrong(v.line, "found a single %% in the value of %s; want %%%% for a per cent sign", key)
		}
		name := strings.ToLower(after[1:end])
		other, ok := c.lookup(name)
		if !ok {
			return "", c.wrong(v.line, "found %%(%s)s in the value of %s; there is no key %s", after[1:end], key, name)
		}
		text, err := c.value(name, other, depth+1)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		rest = after[end+2:]
	}
}

// fileError names the file the way the user did, in place of the system call and
// the names that package os puts in front.
func fileError(path string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
