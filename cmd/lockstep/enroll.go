package main

import (
	"context"
	"flag"
	"io"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/enroll"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func enrollCommand(fs *flag.FlagSet) action {
	db, m, timeout := dbFlag(fs), migrationsFlags(fs, gapsFlag), timeoutFlag(fs)
	var r enroll.Request
	versionFlag(fs, "at", "`N`: the version that the database is at (default the newest)", func(v lockstep.Version) { r.At = v })
	fs.Var(choice{func(name string) (err error) {
		r.From, err = othertool.Named(name)
		return err
	}, othertool.Names}, "from", "`TOOL`: take the version that another tool recorded, such as goose")
	noProgramsFlag(fs, &m.opts)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		r.Path, r.Dir, r.Timeout = db.value, m.value, *timeout
		r.Load = func(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
			m.opts.To, m.standIns = v, true
			to := &streams{stderr: io.Discard}
			schema, err := m.loadSchema(ctx, to)
			for _, w := range to.warnings {
				if (v == 0 || v == r.At) && !slices.Contains(s.warnings, w) {
					s.warnings = append(s.warnings, w)
				}
			}
			return schema, err
		}
		out, err := enroll.Run(ctx, r)
		if out == nil {
			return nil, err
		}
		s.warnings = append(s.warnings, out.Warnings...)
		_, isPackage := directive(r.Dir)
		return &enrollResult{r.Path, out, isPackage}, err
	}
}

type enrollResult struct {
	DB string `json:"db"`
	*enroll.Result

	IsPackage bool `json:"-"` // its directory has a go:generate line
}

// Made says how many objects of which types the first migration makes.
func (r *enrollResult) Made() string {
	counts := map[string]int{}
	for _, o := range r.Objects {
		counts[o.Type]++
	}
	var parts []string
	for _, kind := range []string{"table", "index", "view", "trigger"} {
		if n := counts[kind]; n > 0 {
			parts = append(parts, wording.Count(n, kind))
		}
	}
	return strings.Join(parts, ", ")
}
