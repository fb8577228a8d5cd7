package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// configFile is where fastmigrate keeps the paths of a project.
const configFile = ".fastmigrate"

// A pathFlag is --db or --migrations. One that is not given is looked up in the
// file .fastmigrate of the current folder, and then has a default.
type pathFlag struct {
	name     string // of the flag and of the key in the file
	fallback string
	value    string
	given    bool
}

func dbFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{name: "db", fallback: "data/database.db"}
	fs.Var(p, "db", "`FILE`: the database")
	return p
}

func migrationsFlag(fs *flag.FlagSet) *pathFlag {
	p := &pathFlag{name: "migrations", fallback: "migrations"}
	fs.Var(p, "migrations", "`DIR`: the migrations directory")
	return p
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
	text, err := os.ReadFile(configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p.fallback, nil
	}
	if err != nil {
		return "", fileError(configFile, err)
	}
	paths, err := parseConfig(string(text))
	if err != nil {
		return "", err
	}
	if path := paths[p.name]; path != "" {
		return path, nil
	}
	return p.fallback, nil
}

// parseConfig returns the keys of the section [paths] of a .fastmigrate file. It
// reads what Python's configparser reads, and refuses what that would take for
// something other than the path that it looks like.
//
// https://docs.python.org/3/library/configparser.html#supported-ini-file-structure
func parseConfig(text string) (map[string]string, error) {
	paths := make(map[string]string)
	section, key, keyIndent := "", "", 0
	for i, line := range strings.Split(text, "\n") {
		wrong := func(format string, args ...any) (map[string]string, error) {
			return nil, fmt.Errorf("%s:%d: %s", configFile, i+1, fmt.Sprintf(format, args...))
		}
		trimmed := strings.TrimSpace(line)
		indent := strings.Index(line, trimmed)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case key != "" && indent > keyIndent:
			return wrong("an indented line continues the value of %s; want it to begin where %s does", key, key)
		case trimmed[0] == '[' && strings.LastIndexByte(trimmed, ']') > 1:
			section, key = trimmed[1:strings.LastIndexByte(trimmed, ']')], ""
			continue
		case section == "":
			return wrong("found %q before the first section; want [paths]", trimmed)
		}
		n := strings.IndexAny(trimmed, "=:")
		if n <= 0 {
			return wrong("found %q; want KEY = VALUE", trimmed)
		}
		key, keyIndent = strings.ToLower(strings.TrimSpace(trimmed[:n])), indent
		if section != "paths" {
			continue
		}
		if _, ok := paths[key]; ok {
			return wrong("%s is given twice", key)
		}
		value := strings.TrimSpace(trimmed[n+1:])
		if strings.Contains(strings.ReplaceAll(value, "%%", ""), "%") {
			return wrong("found a single %% in the value of %s; want %%%% for a per cent sign", key)
		}
		paths[key] = strings.ReplaceAll(value, "%%", "%")
	}
	return paths, nil
}

// fileError names the file the way the user did, in place of the system call and
// the name that package os puts in front.
func fileError(path string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
