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

// lookUp gives the flags for paths that are not given their values.
func lookUp(set *flag.FlagSet) (err error) {
	set.VisitAll(func(f *flag.Flag) {
		if p, ok := f.Value.(*pathFlag); ok && err == nil {
			err = p.lookUp()
		}
	})
	return err
}

func (p *pathFlag) lookUp() error {
	if p.given || p.fallback == "" {
		return nil
	}
	p.value = p.fallback
	file := configFile
	if p.config != nil && *p.config != "" {
		file = string(*p.config)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && file == configFile {
		return nil
	}
	if err != nil {
		return fileError(file, err)
	}
	paths, err := parseConfig(file, string(text))
	if path := paths[p.key]; path != "" {
		p.value = path
	}
	return err
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
