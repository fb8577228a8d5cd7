package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func migrateCommand() command {
	return command{
		name: "migrate",
		flags: func(fs *flag.FlagSet) action {
			r := upgradeFlags(fs)
			dryRun := fs.Bool("dry-run", false, "print what would run, and write nothing")
			perMigration := fs.Bool("per-migration", false, "commit after each migration, as fastmigrate does, instead of once at the end")
			backup := fs.Bool("backup", false, "make a backup first if something is pending")
			keep := fs.Int("keep", 0, "`N`: with --backup, keep the last N (default all)")
			noPrograms := noProgramsFlag(fs)
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				if r.noPrograms = *noPrograms; *noPrograms && !*dryRun {
					return nil, usage("--no-programs is for --dry-run")
				}
				if *keep < 0 || *keep > 0 && !*backup {
					return nil, usage("--keep: want --backup too, and a number from 1")
				}
				if *dryRun {
					ctx = interpreter.Private(ctx)
				}
				if err := r.load(ctx, s); err != nil {
					return nil, err
				}
				if *perMigration {
					r.opts = append(r.opts, lockstep.WithPerMigration())
				}
				if *backup {
					r.opts = append(r.opts, lockstep.WithBackup(*keep))
				}
				return r.migrate(ctx, s, *dryRun)
			}
		},
	}
}

// An upgradeRequest is which database migrate and try upgrade, and how.
type upgradeRequest struct {
	db, migrations *pathFlag
	to             versionFlag // 0: the newest
	gaps           *bool
	noPrograms     bool
	timeout        *time.Duration
	allow          *string

	schema *lockstep.Schema
	opts   []lockstep.Option
}

func upgradeFlags(fs *flag.FlagSet) *upgradeRequest {
	r := &upgradeRequest{db: dbFlag(fs), migrations: migrationsFlag(fs), gaps: gapsFlag(fs), timeout: timeoutFlag(fs), allow: allowFlag(fs)}
	fs.Var(&r.to, "to", "`N`: stop at version N")
	return r
}

// load reads the migrations.
func (r *upgradeRequest) load(ctx context.Context, s *streams) error {
	res, err := load(ctx, s, r.migrations.value, gen.Options{Gaps: *r.gaps, To: lockstep.Version(r.to), NoPrograms: r.noPrograms})
	if err != nil {
		return err
	}
	r.schema = res.Schema
	r.opts = []lockstep.Option{lockstep.WithTimeout(*r.timeout), lockstep.WithAllowed(*r.allow), script.WithConn(database.Prepare), warningsOf(r.db.value, s)}
	return nil
}

// backward rewords the refusal of a database that is past a version that was asked for.
func (r *upgradeRequest) backward(err error) error {
	if e := (*lockstep.Error)(nil); r.to != 0 && errors.As(err, &e) && e.Kind == lockstep.ErrAhead {
		return refuse("backward", "%s: at version %v, past %v; the only way back is a backup", e.DB, e.Version, e.Expected)
	}
	return err
}

func (r *upgradeRequest) migrate(ctx context.Context, s *streams, dryRun bool) (result, error) {
	db, err := database.Open(r.db.value)
	if kindOf(err) == "missing" {
		return nil, refuse("missing", "%v; migrate upgrades a database that exists\n\tlockstep create --db %s", err, wording.CommandLine(r.db.value))
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()

	state, err := db.Inspect(ctx, r.schema, r.opts...)
	if err != nil {
		return nil, err
	}
	out := &migrateResult{DB: db.Path, From: state.Version, To: r.schema.Expected, DryRun: dryRun, Migrations: []ranMigration{}}
	if dryRun {
		if len(state.Pending) == 0 && state.Refusal != nil {
			return nil, r.backward(state.Refusal)
		}
		for _, m := range state.Pending {
			ran, err := listStatements(r.schema.Files, m)
			if err != nil {
				return nil, err
			}
			out.Migrations = append(out.Migrations, ran)
		}
		return out, nil
	}

	s.migrating.Store(true)
	progress := startProgress(s.stderr)
	err = lockstep.Migrate(ctx, db.DB, r.schema, append(r.opts, lockstep.WithProgress(func(p lockstep.Progress) {
		progress.report(p)
		if p.Backup != "" {
			out.Backup = db.Beside(p.Backup, state.DB)
		} else if p.Statement == 0 && p.Done {
			// An upgrade that has to count orphans first starts over.
			out.Migrations = slices.DeleteFunc(out.Migrations, func(m ranMigration) bool { return m.Version >= p.Version })
			out.Migrations = append(out.Migrations, ranMigration{Version: p.Version, File: p.File})
		}
	}))...)
	progress.stop()
	if err != nil {
		return nil, r.backward(db.Named(err))
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
		return ran, fileError(m.File, err)
	}
	parsed := sqltext.Parse(sqltext.Normalize(text))
	ran.NoTransaction = parsed.NoTransaction()
	stmts, err := parsed.Statements(m.Ends)
	if err != nil {
		return ran, fileError(m.File, err)
	}
	for _, stmt := range stmts {
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

func (r *migrateResult) print(w io.Writer) {
	switch {
	case len(r.Migrations) == 0:
		fmt.Fprintf(w, "%s: at version %v, nothing to do\n", r.DB, r.To)
		return
	case r.DryRun:
		fmt.Fprintf(w, "-- %s: would go from version %v to %v\n", r.DB, r.From, r.To)
	default:
		fmt.Fprintf(w, "%s: from version %v to %v\n", r.DB, r.From, r.To)
	}
	if r.Backup != "" {
		fmt.Fprintf(w, "  backup: %s\n", r.Backup)
	}
	for _, m := range r.Migrations {
		if !r.DryRun {
			fmt.Fprintln(w, "  "+m.File)
			continue
		}
		if m.Program {
			fmt.Fprintf(w, "\n-- runs %s\n", m.File)
		}
		if m.NoTransaction {
			fmt.Fprintf(w, "\n-- %s runs outside of a transaction, after a COMMIT\n", m.File)
		}
		for _, stmt := range m.Statements {
			fmt.Fprintf(w, "\n-- %s:%d\n%s;\n", m.File, stmt.Line, strings.TrimSuffix(stmt.SQL, ";"))
		}
	}
}
