package gen

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// scriptPrograms are the Programs of scripts in generated code, by extension.
var scriptPrograms = map[string]lockstep.Program{".py": script.Python, ".sh": script.Shell}

// interpreters reports the scripts for which this machine has no interpreter.
func interpreters(migrations []*migration) (problems Problems) {
	for _, m := range migrations {
		if scriptPrograms[m.Ext] == nil {
			continue
		}
		if _, err := interpreter.Find(m.name); err != nil {
			problems = append(problems, Problem{File: m.name, Fact: err.Error() + "; generating must run it to know the schema after it"})
		}
	}
	return problems
}

// script runs a script as an upgrade does, on a copy in a file, and reads that back.
func (r *replay) script(ctx context.Context, m *migration) (err error) {
	if err := r.transaction(false); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lockstep-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "replay.db")
	if err := r.conn.Backup("main", path); err != nil {
		return err
	}
	stdout, stderr, err := interpreter.Run(interpreter.Private(ctx), m.name, []byte(m.script.Text), path)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if strings.TrimSpace(stderr) == "" {
			stderr = stdout
		}
		return r.fail(m.scriptFailure(err, stderr))
	}
	if r.opts.Output != nil {
		io.WriteString(r.opts.Output, stdout+stderr)
	}
	fault, err := r.readBack(ctx, path)
	switch {
	case sqlite.IsBusy(err):
		fault = "left a process that has a lock on the database; it must end what it starts: " + sqlite.Sentence(err)
	case err != nil:
		fault = "left a database that SQLite cannot read: " + sqlite.Sentence(err)
	}
	if made, err := r.madeOurs(); err != nil {
		return err
	} else if made {
		fault = oursIsRefused
	}
	if fault != "" {
		return r.fail(Problem{File: m.name, Fact: fault})
	}
	return nil
}

// readBack makes the database at path that of the replay, or says why it cannot be.
func (r *replay) readBack(ctx context.Context, path string) (fault string, err error) {
	if _, err := os.Stat(path); err != nil {
		return "removed the database", nil
	}
	file, err := driver.Open(sqlite.URI(path, "_pragma=busy_timeout(1000)"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// A database in memory cannot be in the mode WAL. An upgrade needs the copy for itself.
	if _, err := file.ExecContext(ctx, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; ROLLBACK"); err != nil {
		return "", err
	}
	damage, err := sqlite.Full.List(ctx, file)
	if err == nil && len(damage) > 0 {
		return "left a damaged database: " + damage[0], nil
	}
	if err == nil {
		fault, err = sqlite.FormChange(ctx, r.tx, file)
	}
	if err != nil || fault != "" {
		return fault, err
	}
	return "", r.conn.Restore("main", path)
}

// scriptFailure returns the problem of a script that failed: what it wrote last, at the
// line that a traceback or the shell names.
func (m *migration) scriptFailure(err error, wrote string) Problem {
	p := Problem{File: m.name, Fact: err.Error()}
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(wrote), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return p
	}
	name := regexp.QuoteMeta(m.name)
	traced := regexp.MustCompile(`^\s*File "[^"]*` + name + `", line ([0-9]+)`)
	said := regexp.MustCompile(`^\S*` + name + `: (?:line )?([0-9]+): (.*)$`)
	const most = 3
	last := lines[max(0, len(lines)-most):]
	for i, line := range lines {
		if found := traced.FindStringSubmatch(line); found != nil {
			p.Line, _ = strconv.Atoi(found[1])
			last = lines[len(lines)-1:] // the subject of the traceback
		} else if found := said.FindStringSubmatch(line); found != nil {
			p.Line, _ = strconv.Atoi(found[1])
			lines[i] = found[2]
		}
	}
	p.Fact += ": " + strings.TrimSpace(strings.Join(last, "; "))
	return p
}
