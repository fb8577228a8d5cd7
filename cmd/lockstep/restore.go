package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

func restoreCommand() command {
	return command{
		name:  "restore",
		args:  "[--db FILE] [--no-backup] [--force] BACKUP",
		short: "replace a database with a backup, in one step",
		long: `
Replaces the content of a database with that of a backup, in one transaction of
SQLite: other programs may have the database open, and see the old content or the
new. (What they write afterwards goes into the restored content. A program that is
older or newer than that finds out when it starts again.) If the database does not
exist, it is created.

First the backup is copied and the copy checked (PRAGMA integrity_check); the backup
itself is only read. Any SQLite database can be one. The database keeps its journal
mode; in WAL mode the page sizes must be equal.

The present content would be lost, so it is backed up first, as by "lockstep backup";
the path is printed. If somebody writes to the database in between, both are done
again. --no-backup leaves it out.

A database that is damaged, or a file that is no database, is not overwritten. With
--force it is moved aside, with the files that belong to it, and the backup takes its
place. First stop the programs that have it open: they go on with the file that was
moved.

Example:

	$ lockstep restore --db data.db data.db.v0010.20261123T101502Z.backup
	data.db: from version 0011 to 0010
	  backup: data.db.v0011.20261123T142210Z.backup

With --json, "result" has db, from and to (null where there is no version), restored
(the backup), backup (of what the database held, or "") and aside (where a damaged
file was moved to, or "").`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			db := dbFlag(fs)
			var what database.Restoration
			fs.BoolVar(&what.NoBackup, "no-backup", false, "do not back up what the database holds now")
			fs.BoolVar(&what.Force, "force", false, "move a damaged database aside")
			timeout := timeoutFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				if len(args) != 1 {
					return nil, usage(fmt.Sprintf("found %d arguments; want one, the backup", len(args)))
				}
				if args[0] == "" {
					return nil, usage("the path of the backup is empty")
				}
				what.DB, what.Backup, what.Timeout = db.value, args[0], *timeout
				restored, err := database.Restore(ctx, what)
				if err != nil {
					return nil, err
				}
				s.warnings = append(s.warnings, restored.Warnings...)
				return &restoreResult{restored}, nil
			}
		},
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
