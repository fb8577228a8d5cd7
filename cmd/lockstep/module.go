package main

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// commandPath is what "go get -tool" takes.
const commandPath = "github.com/lockstep-db/lockstep/cmd/lockstep"

// A module is what a go.mod says.
type module struct {
	path             string
	tool             bool     // lockstep is among its tools
	direct, indirect []string // the paths of the modules that it requires
}

// sqliteDrivers are the imports that register an SQLite driver, with the modules that
// have them. The first is that of lockstep's own command, which brings it along.
var sqliteDrivers = []struct{ module, pkg string }{
	{"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3/driver"},
	{"github.com/mattn/go-sqlite3", "github.com/mattn/go-sqlite3"},
	{"modernc.org/sqlite", "modernc.org/sqlite"},
}

// driver returns the import of the module's SQLite driver. An indirect requirement can be
// one that "go mod tidy" has not looked at yet, and so the program's own; that of ncruces
// is there with lockstep in any case.
func (m module) driver() string {
	for _, d := range sqliteDrivers {
		if slices.Contains(m.direct, d.module) {
			return d.pkg
		}
	}
	for _, d := range sqliteDrivers[1:] {
		if slices.Contains(m.indirect, d.module) {
			return d.pkg
		}
	}
	return sqliteDrivers[0].pkg
}

// moduleOf returns the module that dir is in, and the folder of its go.mod; the
// zero module if dir is in none.
func moduleOf(dir string) (root string, m module, err error) {
	if root, err = filepath.Abs(dir); err != nil {
		return "", module{}, err
	}
	for {
		text, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			return root, parseModule(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", module{}, err
		}
		if root == filepath.Dir(root) {
			return "", module{}, nil
		}
		root = filepath.Dir(root)
	}
}

// importPath returns the import path of the package in dir, which is below root,
// the module's folder.
func (m module) importPath(root, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(root, dir)
	return path.Join(m.path, filepath.ToSlash(below)), err
}

// parseModule reads a go.mod. Only the module's path, its tools and what it requires
// matter here.
//
// https://go.dev/ref/mod#go-mod-file
func parseModule(goMod []byte) (m module) {
	block := ""
	for lines := bufio.NewScanner(bytes.NewReader(goMod)); lines.Scan(); {
		line, comment, _ := strings.Cut(lines.Text(), "//")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch {
		case block != "" && words[0] == ")":
			block = ""
			continue
		case block != "":
			words = slices.Insert(words, 0, block)
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		}
		if len(words) == 3 && words[0] == "require" {
			words = words[:2]
		}
		if len(words) != 2 {
			continue
		}
		value := words[1]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		switch words[0] {
		case "module":
			m.path = value
		case "tool":
			m.tool = m.tool || value == commandPath
		case "require":
			if strings.TrimSpace(comment) == "indirect" {
				m.indirect = append(m.indirect, value)
			} else {
				m.direct = append(m.direct, value)
			}
		}
	}
	return m
}
