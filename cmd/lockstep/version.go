package main

import (
	"context"
	"flag"
	"runtime"
	"runtime/debug"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
)

func versionCommand(*flag.FlagSet) action {
	return func(ctx context.Context, _ *streams, _ []string) (any, error) {
		res := &versionResult{Lockstep: "(devel)", Go: runtime.Version(), Format: lockstep.Format1}
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			res.Lockstep = info.Main.Version
		}
		db, err := driver.Open(":memory:")
		if err != nil {
			return nil, err
		}
		defer db.Close()
		err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&res.SQLite)
		return res, err
	}
}

type versionResult struct {
	Lockstep string `json:"lockstep"`
	Go       string `json:"go"`
	SQLite   string `json:"sqlite"`
	Format   int    `json:"format"`
}
