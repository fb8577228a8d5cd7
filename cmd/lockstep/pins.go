package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
)

// brokenPins returns the pins of the module that the new version of res breaks.
func brokenPins(ctx context.Context, res *gen.Result) ([]genfile.Pin, error) {
	pins, err := genfile.BrokenPins(ctx, res.Dir, res.Source)
	return pinsFromHere(pins), err
}

// pinsFromHere returns the pins with the names that the user has for the files.
func pinsFromHere(pins []genfile.Pin) []genfile.Pin {
	named := []genfile.Pin{}
	for _, p := range pins {
		p.File = fromHere(p.File)
		named = append(named, p)
	}
	return named
}

// fromHere returns the name of a file as seen from the current folder.
func fromHere(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if name, err := filepath.Rel(here, file); err == nil {
		return name
	}
	return file
}
