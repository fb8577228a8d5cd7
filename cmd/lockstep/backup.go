package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/lockstep-db/lockstep/gen/database"
)

func backupCommand() command {
	return command{
		name:  "backup",
		args:  "[--db FILE] [--to FILE] [flags]",
		short: "copy a database while programs use it",
		long: `
Copies a database to a new file: what the last transaction had committed when the
copy began, though others write meanwhile. (In WAL mode they go on; with a rollback
journal a program that wants to commit waits until the copy is made.)

Without --to the file lies beside the database and is named for it, its version
and the time in UTC; a database without a version has none in the name. The path
is printed. An existing file is never overwritten. The copy has the permissions of
the database, and its owner where that is allowed. It gets its name when it is
complete: written to the disk and passed by PRAGMA integrity_check. If it fails, or
the command is interrupted, no file of that name is left. Tables that need an
application's own functions or collations are copied, but cannot be checked here; a
warning names them.

Nothing in lockstep removes such a copy: a program that keeps the last few of the
backups before its own upgrades counts only those.

Example:

	$ lockstep backup --db data.db
	data.db.v0010.20261123T101502Z.backup
	$ lockstep restore --db data.db data.db.v0010.20261123T101502Z.backup

With --json, "result" has db, backup, managed and version (0 if not managed).`,
		flags: func(fs *flag.FlagSet) action {
			db := dbFlag(fs)
			var to fileFlag
			fs.Var(&to, "to", "`FILE`: where to (default beside the database, named for version and time)")
			timeout := timeoutFlag(fs)
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				file, err := database.Open(db.value)
				if err != nil {
					return nil, err
				}
				defer file.Close()
				made, err := file.Backup(ctx, string(to), *timeout)
				if err != nil {
					return nil, err
				}
				s.warnings = append(s.warnings, made.Warnings...)
				return &backupResult{db.value, made}, nil
			}
		},
	}
}

type backupResult struct {
	DB string `json:"db"`
	*database.Backup
}

func (r *backupResult) print(w io.Writer) { fmt.Fprintln(w, r.Path) }
