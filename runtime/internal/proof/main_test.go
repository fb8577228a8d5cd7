package proof_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/gen/samedir"
	"github.com/lockstep-db/lockstep/gen/trial"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/script"
)

// TestMain makes of this test a program, when an environment variable says which.
func TestMain(m *testing.M) {
	if text := os.Getenv(programVar); text != "" {
		if err := runProgram(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	fmt.Printf("proof: seed %d of runtime/internal/proof\n", *seed)
	samedir.Main(m)
	tried.print()
}

const programVar = "LOCKSTEP_TEST_PROGRAM"

// A program is what another process does.
type program struct {
	Work   string // "migrate", "backup", "restore", "try", "generate", or "write", which is careless
	Path   string // of the database
	DSN    string
	Keep   int    // for WithBackup; 0 is without
	Backup string // to restore
	Force  bool
	Each   bool          // WithPerMigration
	Within time.Duration // it waits for locks; 0 is a minute
	Broken string        // the name of a mutation
	Umask  string        // "077"; "" for that of this process
	Schema fixture.Stored
}

// programs are what migrations that are not SQL run.
var programs = map[string]lockstep.Program{".sh": script.Shell, ".go": lockstep.Go(fixture.Raise)}

// newProgram describes a program that migrates.
func newProgram(t testing.TB, s *lockstep.Schema, path string, settings ...string) *program {
	t.Helper()
	return &program{Work: "migrate", Path: path, DSN: dsn(path, settings...), Schema: fixture.Store(t, s)}
}

// at returns the same program with another database.
func (p *program) at(path string, settings ...string) *program {
	other := *p
	other.Path, other.DSN = path, dsn(path, settings...)
	return &other
}

func (p *program) command(t testing.TB) *exec.Cmd {
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	if p.Umask != "" {
		cmd = exec.Command("sh", "-c", "umask "+p.Umask+`; exec "$0"`, os.Args[0])
	}
	cmd.Env = append(os.Environ(), programVar+"="+string(text))
	return cmd
}

// runProgram is a program that does the work.
func runProgram(text string) error {
	var p program
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	return p.run(true)
}

// run does the work, and may say so on the standard output.
func (p *program) run(says bool) error {
	within := cmp.Or(p.Within, time.Minute)
	switch p.Work {
	case "backup":
		db, err := database.Open(p.Path)
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.Backup(context.Background(), "", false, within); err != nil {
			return err
		}
	case "restore":
		if _, err := database.Restore(context.Background(), database.Restoration{DB: p.Path, Backup: p.Backup, Force: p.Force, Timeout: within}); err != nil {
			return err
		}
	case "try":
		defer os.Setenv("TMPDIR", os.Getenv("TMPDIR"))
		os.Setenv("TMPDIR", filepath.Join(filepath.Dir(p.Path), "tmp"))
		if _, err := trial.Run(context.Background(), trial.Request{Path: p.Path, Schema: p.Schema.Schema(programs), Timeout: within, Options: []lockstep.Option{lockstep.WithTimeout(within)}, Begin: func() {}, Report: func(string) {}, Progress: func(lockstep.Progress) {}}); err != nil {
			return err
		}
	case "write":
		if err := errors.Join(os.WriteFile(p.Path+".new", nil, 0o666), os.Chmod(p.Path+".new", 0o600)); err != nil {
			return err
		}
	case "generate":
		result, err := gen.Generate(context.Background(), filepath.Join(filepath.Dir(p.Path), "migrations"), gen.Options{NoPrograms: true})
		if err == nil {
			err = result.Commit()
		}
		if err != nil {
			return err
		}
	default:
		db := open(p.DSN, p.Broken)
		defer db.Close()
		opts := []lockstep.Option{lockstep.WithTimeout(within)}
		if p.Keep > 0 {
			opts = append(opts, lockstep.WithBackup(p.Keep))
		}
		if p.Each {
			opts = append(opts, lockstep.WithPerMigration())
		}
		if err := lockstep.Migrate(context.Background(), db, p.Schema.Schema(programs), opts...); err != nil {
			return err
		}
	}
	if says {
		os.Stdout.WriteString(done)
	}
	return nil
}
