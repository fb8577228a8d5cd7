package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/lockstep-db/lockstep/gen/database"
)

func restoreCommand(fs *flag.FlagSet) action {
	db := dbFlag(fs)
	var what database.Restoration
	fs.BoolVar(&what.NoBackup, "no-backup", false, "do not back up what the database holds now")
	fs.BoolVar(&what.Full, "full", false, fullUsage)
	fs.BoolVar(&what.Force, "force", false, "move a damaged database aside")
	timeout := timeoutFlag(fs)
	return func(ctx context.Context, s *streams, args []string) (any, error) {
		if len(args) != 1 {
			return nil, usage(fmt.Sprintf("found %d arguments; want one, the backup", len(args)))
		}
		if err := pathArg(args[0]); err != nil {
			return nil, err
		}
		what.DB, what.Backup, what.Timeout = db.value, args[0], *timeout
		s.progress.start(s.stderr)
		what.Report = s.progress.show
		restored, err := database.Restore(ctx, what)
		if err != nil {
			return nil, err
		}
		s.warnings = append(s.warnings, restored.Warnings...)
		return restored, nil
	}
}
