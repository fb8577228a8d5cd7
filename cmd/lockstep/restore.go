package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

func restoreCommand(fs *flag.FlagSet) action {
	db := dbFlag(fs)
	var what database.Restoration
	fs.BoolVar(&what.NoBackup, "no-backup", false, "do not back up what the database holds now")
	fs.BoolVar(&what.Full, "full", false, fullUsage)
	fs.BoolVar(&what.Force, "force", false, "move a damaged database aside")
	timeout := timeoutFlag(fs)
	return func(ctx context.Context, s *streams, args []string) (result, error) {
		if len(args) != 1 {
			return nil, usage(fmt.Sprintf("found %d arguments; want one, the backup", len(args)))
		}
		if err := pathArg(args[0]); err != nil {
			return nil, err
		}
		what.DB, what.Backup, what.Timeout = db.value, args[0], *timeout
		progress := startProgress(s.stderr)
		what.Report = progress.show
		restored, err := database.Restore(ctx, what)
		progress.stop()
		if err != nil {
			return nil, err
		}
		s.warnings = append(s.warnings, restored.Warnings...)
		return &restoreResult{restored}, nil
	}
}

type restoreResult struct{ *database.Restored }

func (r *restoreResult) print(w io.Writer) {
	name := func(v *lockstep.Version) string {
		if v == nil {
			return "no version"
		}
		return "version " + v.String()
	}
	switch {
	case r.From == nil && r.Backup == "":
		fmt.Fprintf(w, "%s: restored at %s\n", r.DB, name(r.To))
	case r.From == nil || r.To == nil:
		fmt.Fprintf(w, "%s: from %s to %s\n", r.DB, name(r.From), name(r.To))
	default:
		fmt.Fprintf(w, "%s: from %s to %v\n", r.DB, name(r.From), *r.To)
	}
	if r.Backup != "" {
		fmt.Fprintf(w, "  backup: %s\n", r.Backup)
	}
	if r.Aside != "" {
		fmt.Fprintf(w, "  damaged file: %s\n", r.Aside)
	}
}
