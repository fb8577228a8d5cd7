package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
)

// configFile is where fastmigrate keeps the paths of a project.
const configFile = ".fastmigrate"

// lookUp sets --db and --migrations, where they are not given, to the values in the
// configuration file.
//
// If it has none for --migrations, [migrationsDir] finds the directory.
func lookUp(ctx context.Context, set *flag.FlagSet) (err error) {
	set.VisitAll(func(f *flag.Flag) {
		p, ok := f.Value.(*pathFlag)
		if !ok || p.given || p.value == "" || err != nil {
			return
		}
		var paths map[string]string
		config := set.Lookup("config").Value.String()
		paths, err = readConfig(config)
		p.from = "the default"
		if path := paths[f.Name]; path != "" {
			p.value, p.from = path, "from "+cmp.Or(config, configFile)
		} else if err == nil && f.Name == "migrations" {
			p.value, err = migrationsDir(ctx)
		}
	})
	return err
}

// readConfig reads the configuration file that --config names, or the one that need not
// exist.
func readConfig(given string) (map[string]string, error) {
	file := cmp.Or(given, configFile)
	text, err := os.ReadFile(file)
	switch {
	case given == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, gen.FileError(file, err)
	}
	paths, err := parseConfig(file, string(text))
	for key, path := range paths {
		if e := checkPath(path); path != "" && e != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, key, e)
		}
	}
	return paths, err
}

// parseConfig returns the keys db and migrations of the section [paths]. It reads them as
// Python's configparser does for fastmigrate, or refuses the line: it knows no values of
// more than one line, no defaults and no %(…)s. It accepts the byte-order mark that
// editors leave.
func parseConfig(name, text string) (map[string]string, error) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	paths := make(map[string]string)
	section, key, indent, seen := "", "", 0, false
	for i, line := range strings.Split(text, "\n") {
		wrong := func(format string, args ...any) (map[string]string, error) {
			return nil, fmt.Errorf("%s:%d: %s", name, i+1, fmt.Sprintf(format, args...))
		}
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		blanks := strings.Index(line, trimmed)
		if key != "" && blanks > indent { // it continues the value
			if _, ours := paths[key]; ours && section == "paths" {
				return wrong("an indented line continues the value of %s; want it to begin where %s does", key, key)
			}
			continue
		}
		if end := strings.LastIndexByte(trimmed, ']'); trimmed[0] == '[' && end > 1 {
			section, key = trimmed[1:end], ""
			if section == "paths" && seen {
				return wrong("[paths] appears twice")
			}
			seen = seen || section == "paths"
			continue
		}
		if section == "" {
			return wrong("found %q before the first section; want [paths]", trimmed)
		}
		n := strings.IndexAny(trimmed, "=:")
		if n <= 0 {
			return wrong("found %q; want KEY = VALUE", trimmed)
		}
		key, indent = strings.ToLower(strings.TrimSpace(trimmed[:n])), blanks
		if key != "db" && key != "migrations" || section != "paths" && section != "DEFAULT" {
			continue
		}
		if section == "DEFAULT" {
			return wrong("found %s in [DEFAULT]; want it in [paths]", key)
		}
		if _, ok := paths[key]; ok {
			return wrong("%s is given twice", key)
		}
		value := strings.TrimSpace(trimmed[n+1:])
		if strings.Contains(strings.ReplaceAll(value, "%%", ""), "%") {
			return wrong("found %% in the value of %s; want the path itself, with %%%% for a percent sign", key)
		}
		paths[key] = strings.ReplaceAll(value, "%%", "%")
	}
	return paths, nil
}
