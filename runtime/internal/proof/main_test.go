package proof_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/barrier"
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
	code := m.Run()
	tried.print()
	os.Exit(code)
}

const programVar = "LOCKSTEP_TEST_PROGRAM"

// A program is what another process does.
type program struct {
	Work   string // "migrate", "backup" or "restore"
	Path   string // of the database
	DSN    string
	Keep   int    // for WithBackup; 0 is without
	Backup string // to restore
	Force  bool
	Wait   bool // for others to be ready

	Dir    string // of the migrations
	Schema struct {
		Expected                 lockstep.Version
		Digest, SQL, Fingerprint string
		Migrations               []struct {
			Version        lockstep.Version
			File, Checksum string
		}
	}
}

// newProgram describes a program that migrates.
func newProgram(t testing.TB, s *lockstep.Schema, path string, settings ...string) *program {
	t.Helper()
	p := &program{Work: "migrate", Path: path, DSN: dsn(path, settings...), Dir: t.TempDir()}
	text, err := json.Marshal(map[string]any{"Expected": s.Expected, "Digest": s.Digest, "SQL": s.SQL, "Fingerprint": s.Fingerprint, "Migrations": s.Migrations})
	if err == nil {
		err = json.Unmarshal(text, &p.Schema)
	}
	for _, m := range s.Migrations {
		if err == nil {
			text, err = fs.ReadFile(s.Files, m.File)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(p.Dir, m.File), text, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
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
	cmd.Env = append(os.Environ(), programVar+"="+string(text))
	return cmd
}

// runProgram is a program that does the work.
func runProgram(text string) error {
	var p program
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if p.Wait {
		barrier.Wait()
	}
	return p.run(true)
}

// run does the work, and may say so on the standard output.
func (p *program) run(says bool) error {
	switch p.Work {
	case "backup":
		db, err := database.Open(p.Path)
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.Backup(context.Background(), "", false, time.Minute); err != nil {
			return err
		}
	case "restore":
		if _, err := database.Restore(context.Background(), database.Restoration{DB: p.Path, Backup: p.Backup, Force: p.Force, Timeout: time.Minute}); err != nil {
			return err
		}
	default:
		db, err := sql.Open("sqlite3", p.DSN)
		if err != nil {
			return err
		}
		defer db.Close()
		var opts []lockstep.Option
		if p.Keep > 0 {
			opts = append(opts, lockstep.WithBackup(p.Keep))
		}
		if err := lockstep.Migrate(context.Background(), db, p.schema(), opts...); err != nil {
			return err
		}
	}
	if says {
		os.Stdout.WriteString(done)
	}
	return nil
}

func (p *program) schema() *lockstep.Schema {
	s := &lockstep.Schema{Expected: p.Schema.Expected, Files: os.DirFS(p.Dir), Digest: p.Schema.Digest, SQL: p.Schema.SQL, Fingerprint: p.Schema.Fingerprint}
	for _, m := range p.Schema.Migrations {
		next := lockstep.Migration{Version: m.Version, File: m.File, Checksum: m.Checksum}
		if filepath.Ext(m.File) == ".sh" {
			next.Program = script.Shell
		}
		s.Migrations = append(s.Migrations, next)
	}
	return s
}
