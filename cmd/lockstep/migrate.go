package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func migrateCommand(fs *flag.FlagSet) action {
	u := upgradeFlags(fs)
	dryRun := fs.Bool("dry-run", false, "print what would run, and write nothing")
	perMigration := fs.Bool("per-migration", false, "commit after each migration, as fastmigrate does, instead of once at the end")
	backup := fs.Bool("backup", false, "make a backup first if something is pending")
	keep := fs.Int("keep", 0, "`N`: with --backup, keep the last N (default all)")
	noProgramsFlag(fs, &u.opts)
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		if u.opts.NoPrograms && !*dryRun {
			return nil, usage("--no-programs is for --dry-run")
		}
		if *keep < 0 || *keep > 0 && !*backup {
			return nil, usage("--keep: want --backup too, and a number from 1")
		}
		if u.opts.NoUpgrade = *dryRun; *dryRun {
			ctx = interpreter.Private(ctx)
		}
		schema, err := u.load(ctx, s)
		if err != nil {
			return nil, err
		}
		opts := u.runtimeOptions(s)
		if *perMigration {
			opts = append(opts, lockstep.WithPerMigration())
		}
		if *backup {
			query, err := database.Encryption()
			if err != nil {
				return nil, err
			}
			opts = append(opts, lockstep.WithBackup(*keep, query))
		}
		return u.migrate(ctx, s, schema, opts, *dryRun)
	}
}

// An upgrade is what the flags of migrate and try say.
type upgrade struct {
	*migrations
	db      *pathFlag
	timeout *time.Duration
	allow   *[]lockstep.Option
}

func upgradeFlags(fs *flag.FlagSet) *upgrade {
	u := &upgrade{migrationsFlags(fs, gapsFlag), dbFlag(fs), timeoutFlag(fs), allowFlag(fs)}
	versionFlag(fs, "to", "`N`: stop at version N", func(v lockstep.Version) { u.opts.To = v })
	return u
}

// runtimeOptions returns the options of the upgrade.
func (u *upgrade) runtimeOptions(s *streams) []lockstep.Option {
	return append(*u.allow, lockstep.WithTimeout(*u.timeout), script.WithConn(database.Prepare), warningsOf(u.db.value, s))
}

// backward rewords the refusal of a database that is past a version that was asked for.
func (u *upgrade) backward(err error) error {
	if e := (*lockstep.Error)(nil); u.opts.To != 0 && errors.As(err, &e) && e.Kind == lockstep.ErrAhead {
		return gen.Refuse("backward", "%s: at version %v, past %v; the only way back is a backup", e.DB, e.Version, e.Expected)
	}
	return err
}

func (u *upgrade) migrate(ctx context.Context, s *streams, schema *lockstep.Schema, opts []lockstep.Option, dryRun bool) (any, error) {
	db, err := database.Open(u.db.value)
	if kindOf(err) == "missing" {
		return nil, gen.Refuse("missing", "%v; migrate upgrades a database that exists\n\tlockstep create --db %s", err, wording.CommandLine(u.db.value))
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()

	state, err := db.Inspect(ctx, schema, opts...)
	if err != nil {
		return nil, err
	}
	out := &migrateResult{DB: db.Path, From: state.Version, To: schema.Expected, DryRun: dryRun, Migrations: []ranMigration{}}
	if dryRun {
		if len(state.Pending) == 0 && state.Refusal != nil {
			return nil, u.backward(state.Refusal)
		}
		for _, m := range state.Pending {
			ran, err := listStatements(schema.Files, m)
			if err != nil {
				return nil, gen.FileError(m.File, err)
			}
			out.Migrations = append(out.Migrations, ran)
		}
		return out, nil
	}

	s.migrating.Store(true)
	s.progress.start(s.stderr)
	err = lockstep.Migrate(ctx, db.DB, schema, append(opts, lockstep.WithProgress(func(p lockstep.Progress) {
		s.progress.report(p)
		if p.Backup != "" {
			out.Backup = db.Beside(p.Backup, state.DB)
		} else if p.Statement == 0 && p.Done {
			// A script that was overtaken runs again.
			out.Migrations = slices.DeleteFunc(out.Migrations, func(m ranMigration) bool { return m.Version >= p.Version })
			out.Migrations = append(out.Migrations, ranMigration{Version: p.Version, File: p.File})
		}
	}))...)
	if err != nil {
		return nil, u.backward(db.Named(err))
	}
	return out, nil
}

// listStatements returns the statements of a migration that an upgrade would
// run. What an upgrade skips is not among them.
func listStatements(files fs.FS, m lockstep.Migration) (ranMigration, error) {
	ran := ranMigration{Version: m.Version, File: m.File, Program: m.Program != nil}
	if ran.Program {
		return ran, nil
	}
	text, err := fs.ReadFile(files, m.File)
	if err != nil {
		return ran, err
	}
	parsed := sqltext.Parse(sqltext.Normalize(text))
	ran.NoTransaction = parsed.NoTransaction()
	for _, stmt := range parsed.Cut() {
		if !stmt.Skipped(!ran.NoTransaction) {
			ran.Statements = append(ran.Statements, statement{stmt.Line, stmt.SQL})
		}
	}
	return ran, nil
}

type migrateResult struct {
	DB         string           `json:"db"`
	From       lockstep.Version `json:"from"`
	To         lockstep.Version `json:"to"`
	DryRun     bool             `json:"dryRun"`
	Backup     string           `json:"backup"`
	Migrations []ranMigration   `json:"migrations"`
}

type ranMigration struct {
	Version lockstep.Version `json:"version"`
	File    string           `json:"file"`

	// With --dry-run only.
	Program       bool        `json:"program,omitempty"`
	NoTransaction bool        `json:"noTransaction,omitempty"`
	Statements    []statement `json:"statements,omitempty"`
}

type statement struct {
	Line int    `json:"line"`
	SQL  string `json:"sql"`
}
