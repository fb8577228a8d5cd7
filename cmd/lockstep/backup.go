package main

import (
	"context"
	"flag"

	"github.com/lockstep-db/lockstep/gen/database"
)

func backupCommand(fs *flag.FlagSet) action {
	db := dbFlag(fs)
	var to pathFlag
	fs.Var(&to, "to", "`FILE`: where to (default beside the database, named for version and time)")
	full := fs.Bool("full", false, fullUsage)
	timeout := timeoutFlag(fs)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		file, err := database.Open(db.value)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		s.progress.start(s.stderr)
		file.Report = s.progress.show
		made, err := file.Backup(ctx, to.value, *full, *timeout)
		if err != nil {
			return nil, err
		}
		s.warnings = append(s.warnings, made.Warnings...)
		return made, nil
	}
}

const fullUsage = "check with PRAGMA integrity_check, which also compares indexes with the rows"
