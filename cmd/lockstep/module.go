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
	path string
	tool bool // lockstep is among its tools
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

// parseModule reads a go.mod. Only the module's path and its tools matter here.
//
// https://go.dev/ref/mod#go-mod-file
func parseModule(goMod []byte) (m module) {
	block := ""
	for lines := bufio.NewScanner(bytes.NewReader(goMod)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "//")
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
		}
	}
	return m
}
