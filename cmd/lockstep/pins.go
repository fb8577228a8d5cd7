package main

import (
	"context"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/genfile"
)

// brokenPins returns the pins of the module that res has broken, under the names that
// the user has for the files.
func brokenPins(ctx context.Context, res *gen.Result) ([]genfile.Pin, error) {
	pins, err := genfile.BrokenPins(ctx, res.Dir, res.Source)
	named := []genfile.Pin{}
	for _, p := range pins {
		p.File = fromHere(p.File)
		named = append(named, p)
	}
	return named, err
}
