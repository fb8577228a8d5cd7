package gen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// scriptPrograms are what generated code says of scripts, by the endings of names.
var scriptPrograms = map[string]lockstep.Program{".py": script.Python, ".sh": script.Shell}

// interpreters reports the scripts that nothing here can run.
func interpreters(migrations []*migration) (problems Problems) {
	for _, m := range migrations {
		if scriptPrograms[m.Ext] == nil {
			continue
		}
		if _, err := interpreter.Find(m.name); err != nil {
			problems = append(problems, Problem{File: m.name, Fact: err.Error() + "; the schema behind it is known by running it"})
		}
	}
	return problems
}

// script runs a script as an upgrade does: on a copy in a file, which is read back.
func (r *replay) script(ctx context.Context, m *migration) (ok bool, err error) {
	if err := r.transaction(false); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "lockstep-") // nobody else's
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "replay.db")
	if err := r.conn.Backup("main", path); err != nil {
		return false, err
	}
	report := func(format string, args ...any) (bool, error) {
		r.problems = append(r.problems, Problem{File: m.name, Fact: fmt.Sprintf(format, args...)})
		return false, nil
	}
	stdout, stderr, err := interpreter.Run(ctx, m.name, []byte(m.script.Text), path)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		if strings.TrimSpace(stderr) == "" {
			stderr = stdout
		}
		r.problems = append(r.problems, m.scriptFailure(err, stderr))
		return false, nil
	}
	if r.output != nil {
		io.WriteString(r.output, stdout+stderr)
	}
	if _, err := os.Stat(path); err != nil {
		return report("has removed the database")
	}
	switch fault, err := r.readBack(path); {
	case err != nil:
		return report("what it has left: %s", sqlite.Sentence(err))
	case fault != "":
		return report("%s", fault)
	}
	made, err := r.madeOurs()
	if err != nil {
		return false, err
	}
	if made {
		return report("%s", oursIsRefused)
	}
	return true, nil
}

// readBack makes the database at path that of the replay, or says why it cannot be.
func (r *replay) readBack(path string) (fault string, err error) {
	file, err := sqlite3.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// A database in memory cannot be in the mode WAL.
	if err := file.Exec("PRAGMA journal_mode = DELETE"); err != nil {
		return "", err
	}
	answer, err := column(file, "PRAGMA integrity_check(1)")
	if err != nil {
		return "", err
	}
	if !slices.Equal(answer, []string{"ok"}) {
		return "what it has left is damaged: " + strings.Join(answer, "; "), nil
	}
	for _, form := range []string{"page_size", "encoding"} {
		before, err := column(r.conn, "PRAGMA "+form)
		if err != nil {
			return "", err
		}
		after, err := column(file, "PRAGMA "+form)
		if err != nil {
			return "", err
		}
		if !slices.Equal(before, after) {
			return fmt.Sprintf("has made a database of %s %s of one of %s, which cannot take its place", form, strings.Join(after, ""), strings.Join(before, "")), nil
		}
	}
	return "", r.conn.Restore("main", path)
}

// scriptFailure is the problem of a script that has failed: what it wrote last, and
// the line of it that a traceback, or the shell, names.
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
			last = lines[len(lines)-1:] // which is what the traceback is about
		} else if found := said.FindStringSubmatch(line); found != nil {
			p.Line, _ = strconv.Atoi(found[1])
			lines[i] = found[2]
		}
	}
	p.Fact += ": " + strings.TrimSpace(strings.Join(last, "; "))
	return p
}
