package main

import (
	"flag"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
)

// directive returns the options in the go:generate line of a migrations package,
// so that a command that looks at the package reads it as go generate does. The
// result is zero for a directory that has no such line, or one that starts a
// program of the user's own.
func directive(dir string) (gen.Options, bool) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(dir, entry.Name()))
		for line := range strings.Lines(string(text)) {
			if opts, ok := parseDirective(line); ok {
				return opts, true
			}
		}
	}
	return gen.Options{}, false
}

// parseDirective reads one line of a Go file. Lockstep may be started in any of
// the ways in which Go starts a tool:
//
//	//go:generate go tool lockstep generate --gaps
//	//go:generate go run github.com/lockstep-db/lockstep/cmd/lockstep@v1.0.0 generate
//
// https://pkg.go.dev/cmd/go#hdr-Generate_Go_files_by_processing_source
func parseDirective(line string) (gen.Options, bool) {
	rest, ok := strings.CutPrefix(line, "//go:generate ")
	if !ok {
		return gen.Options{}, false
	}
	words := strings.Fields(rest)
	i := slices.Index(words, "generate")
	if i < 1 {
		return gen.Options{}, false
	}
	tool, _, _ := strings.Cut(path.Base(words[i-1]), "@")
	if strings.TrimSuffix(tool, ".exe") != "lockstep" {
		return gen.Options{}, false
	}
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var opts gen.Options
	generateFlags(fs, &opts)
	if err := fs.Parse(words[i+1:]); err != nil || fs.NArg() > 0 {
		return gen.Options{}, false
	}
	return opts, true
}
