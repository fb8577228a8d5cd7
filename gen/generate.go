// Package gen generates lockstep_gen.go, the Go side of a directory of SQLite
// migrations:
//
//	result, err := gen.Generate(ctx, "migrations", gen.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := result.Commit(); err != nil {
//		log.Fatal(err)
//	}
//
// The command "lockstep generate" does the same. Call Generate from a program
// of your own when migrations use functions, collations or virtual tables that
// the application registers: [Options].Conn registers them for the replay.
//
// # Stages
//
// Generate has five stages. Each reports everything it finds, as [Problems],
// before the next one starts.
//
//   - Scan: names, numbers and texts must be those of migrations.
//   - Replay: SQLite runs the migrations in memory, and says where each
//     statement ends and whether it works. Statements that cannot work in an
//     upgrade are refused: ROLLBACK, ATTACH, a bind parameter, a pragma without
//     effect inside a transaction, a DELETE that relies on a cascade.
//   - Inspection: views are queried and tables are written to, because SQLite
//     accepts a CREATE VIEW or CREATE TRIGGER that can never work.
//   - Proof: a new migration runs on tables with rows, as the schema before it allows them.
//     What it fails on, and what it takes from them without saying so, is a problem.
//   - History: a migration that lockstep_gen.go records, on disk or in git's
//     HEAD, must not have changed. The newest may change until HEAD records it.
//
// Generate writes nothing; [Result.Commit] does. The same directory gives the
// same bytes on every machine.
//
// # Migrations in Go, Python and shell
//
// The replay runs these too. The go command builds a program with the Go migrations
// linked into it, and caches it. If [Options].Conn is set, it is the program that calls
// Generate: it runs again, as far as that call. Scripts run with this machine's
// interpreters. Their environment is PATH, and a private folder as HOME and TMPDIR.
// Whatever a migration does outside the database, it also does in a replay.
//
// # Directives
//
// Comments in a migration can be instructions to lockstep.
//
//	-- lockstep: no-transaction
//
// as the first line runs the migration outside the upgrade's transaction, as
// VACUUM, PRAGMA journal_mode and PRAGMA page_size require. Such a migration
// may run again after a crash, so Generate runs it again after each statement, and
// refuses what fails or leaves other rows.
//
//	DELETE FROM users WHERE id = 5; -- lockstep: no-cascade
//
// at the end of a statement, or alone on the line before it, accepts that no
// foreign key action fires: foreign keys are off during an upgrade.
//
//	-- lockstep: intended REASON
//	-- lockstep: assumes FACT
//
// in the same places answer what the proof finds: it is meant, or a failure cannot happen.
package gen

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// Options say how to read a directory. The zero value is right for most directories.
type Options struct {
	Gaps       bool                      // numbers may be missing
	DQS        bool                      // strings may be in double quotes: a warning, not a problem
	Accept     []lockstep.Version        // recorded migrations that may have changed
	Renumbered lockstep.Version          // the number that two branches used: lockstep_gen.go is a record only of those before; 0 is none
	To         lockstep.Version          // stop at this version; 0 is the last
	Prove      string                    // migrations to try on tables with rows: "new", which is "", "all" or "none"
	NoPrograms bool                      // do not run programs: take the schema after them from lockstep_gen.go
	NoUpgrade  bool                      // nothing will be upgraded with what Load returns
	Conn       func(*sqlite3.Conn) error `json:"-"` // prepares the replay's connection, or nil
	Output     io.Writer                 `json:"-"` // gets what Go migrations and scripts print, or nil
}

// A Result is what a directory of migrations comes to.
type Result struct {
	Dir      string
	Schema   *lockstep.Schema // its Files read the directory
	Source   []byte           // the text of lockstep_gen.go; none from Load, or with Options.To
	Warnings []Problem        // what is accepted but questionable
	Untried  []Problem        // tables without rows in the proof of a migration that does not name them
}

// Generate reads and replays the migrations of dir and returns their generated file.
// It writes nothing.
//
// An error of type [Problems] lists what must be fixed in dir. Any other error means
// that Generate could not tell.
func Generate(ctx context.Context, dir string, opts Options) (*Result, error) {
	d, err := read(dir, opts)
	if err != nil {
		return nil, err
	}
	h, err := readHistory(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := d.load(ctx, h, false); err != nil {
		return nil, err
	}
	problems := append(d.Problems, h.problems...)
	d.Warnings = slices.Concat(d.Warnings, h.warnings, d.lacking())
	if opts.Renumbered > 0 && h.file.of != nil {
		h.file = h.file.before(opts.Renumbered)
	}
	bound := h.enforce(d)
	if len(bound) > 0 {
		for _, other := range h.merged(ctx, dir) {
			if len(other.enforce(d)) == 0 {
				h, bound = other, nil
				break
			}
		}
	}
	problems = append(problems, bound...)
	problems = append(problems, h.holes(ctx, d)...)
	if len(problems) == 0 {
		problems = append(d.refuseOnce(h.head), d.Proof...)
	}
	if len(problems) == 0 {
		problems = h.prove(ctx, d)
	}
	if len(problems) == 0 && d.unknown {
		problems = Problems{{File: FileName, Fact: "out of date; run go generate"}}
	}
	pkg, problem := PackageName(dir)
	if problem != nil {
		problems = append(problems, *problem)
	}
	if len(problems) > 0 {
		return nil, problems.err()
	}
	result, err := d.result()
	if err == nil && opts.To == 0 {
		result.Source, err = genfile.Emit(pkg, result.Schema)
	}
	return result, err
}

// Load reads the migrations of dir, which need not be a Go package, and replays them
// unless lockstep_gen.go records exactly these. It returns no Source. Migrations may differ
// from those recorded; lockstep_gen.go only says which earlier checksums are accepted. Its
// errors are those of [Generate].
//
// The Schema can migrate a database. If it has Go migrations that are not linked into
// this program, the error is an [Exit].
func Load(ctx context.Context, dir string, opts Options) (*Result, error) {
	opts.Prove = "none"
	d, err := read(dir, opts)
	if err != nil {
		return nil, err
	}
	recorded := recordIn(dir)
	if err := d.load(ctx, history{file: recorded}, true); err != nil {
		return nil, err
	}
	for _, m := range d.all {
		m.accepted = earlier(m.checksum, recorded.of[m.Version].Accepted)
	}
	d.Problems = append(d.Problems, d.refuseOnce(recorded)...)
	if err := d.Problems.err(); err != nil {
		return nil, err
	}
	return d.result()
}

// Scan reports, as [Generate] does, the problems of dir that show without running
// anything: names, numbers, and texts that cannot be migrations. With gaps, numbers may be
// missing.
func Scan(dir string, gaps bool) error {
	_, problems, err := scan(dir, gaps)
	return cmp.Or(err, problems.err())
}

// Files returns the names of the migrations in dir. It skips malformed names, which [Scan]
// reports.
func Files(dir string) (files []filename.Name, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Refuse("missing", "%s: no such directory\n\t%s", dir, wording.CommandLine("lockstep", "init", dir))
	}
	for _, entry := range entries {
		if name, err := filename.Parse(entry.Name()); err == nil {
			files = append(files, name)
		}
	}
	return files, err
}

// A directory is what scan and replay learn about a directory.
type directory struct {
	dir        string
	opts       Options
	all        []*migration
	migrations []*migration // up to Options.To
	complete   bool         // no migration is missing from migrations
	unknown    bool         // the schema is: see withoutPrograms
	findings
}

// findings are what a replay finds out.
type findings struct {
	Objects  []sqltext.Object
	Schemas  map[lockstep.Version][]sqltext.Object // after each migration, if some are accepted
	Problems Problems
	Warnings Problems
	Once     Problems // of migrations that must not run twice, and may
	Proof    Problems // of migrations on tables with rows
	Untried  Problems // migrations, on tables that cannot be filled and that they do not name
}

// read scans a directory.
func read(dir string, opts Options) (d *directory, err error) {
	d = &directory{dir: dir, opts: opts}
	if d.all, d.Problems, err = scan(dir, opts.Gaps); err != nil {
		return nil, err
	}
	d.migrations, d.complete = d.all, len(d.Problems) == 0
	if !d.complete || opts.To == 0 {
		return d, nil
	}
	i, last := d.index(opts.To), len(d.all)-1
	if i < 0 {
		d.Problems = Problems{{File: place(dir), Fact: fmt.Sprintf("no migration %v; the last is %s", opts.To, d.all[last].name)}}
		return d, nil
	}
	d.migrations, d.complete = d.all[:i+1], i == last
	return d, nil
}

// load replays the migrations, unless the scan has found a problem: without one migration,
// those that follow would fail. forLoad says that it is for [Load], for which the record is
// enough.
func (d *directory) load(ctx context.Context, h history, forLoad bool) error {
	if len(d.Problems) > 0 {
		return nil
	}
	program := slices.IndexFunc(d.migrations, func(m *migration) bool { return !m.sql() })
	if d.opts.NoPrograms && program >= 0 {
		return d.withoutPrograms(ctx, program, h.file)
	}
	inGo := slices.ContainsFunc(d.migrations, func(m *migration) bool { return m.Ext == ".go" })
	if forLoad && (!inGo || d.opts.NoUpgrade) && d.isRecorded(h.file) {
		return nil
	}
	if d.Problems = interpreters(d.migrations); len(d.Problems) > 0 {
		return nil
	}
	weights := h.weights(d.migrations, d.opts.Prove == "all")
	if inGo {
		return d.replayGo(ctx, weights, forLoad)
	}
	return d.replay(ctx, weights)
}

// replay runs the migrations and, if nothing is wrong with them, checks the schema
// that they make.
func (d *directory) replay(ctx context.Context, weights weights) error {
	r, err := newReplay(ctx, d.opts)
	if err != nil {
		return err
	}
	defer r.close()
	r.weights = weights
	var after func(*migration) error
	if len(d.opts.Accept) > 0 {
		r.Schemas = map[lockstep.Version][]sqltext.Object{}
		after = func(m *migration) (err error) {
			r.Schemas[m.Version], err = r.schema(ctx)
			return err
		}
	}
	err = r.run(ctx, d.migrations, after)
	d.findings = r.findings
	if err != nil || len(d.Problems) > 0 {
		return err
	}
	if d.Objects, err = r.schema(ctx); err != nil {
		return err
	}
	faults, err := r.faults(ctx, d.Objects)
	if err != nil || len(faults) == 0 {
		return err
	}
	blamed, err := d.blame(ctx, faults)
	if d.complete {
		d.Problems = blamed
	} else { // a later migration may mend it
		d.Warnings = append(d.Warnings, blamed...)
	}
	return err
}

func (d *directory) result() (*Result, error) {
	whole := &lockstep.Schema{Files: os.DirFS(d.dir)}
	var digest sqltext.Digest
	for _, m := range d.all {
		digest.Add(int(m.Version), m.checksum)
		whole.Expected = m.Version
		whole.Migrations = append(whole.Migrations, lockstep.Migration{
			Version:  m.Version,
			File:     m.name,
			Checksum: m.checksum,
			Accepted: m.accepted,
			Program:  d.program(m),
		})
	}
	whole.Digest = digest.String()
	schema, err := whole.At(cmp.Or(d.opts.To, whole.Expected))
	if err != nil {
		return nil, err
	}
	if !d.unknown {
		schema.SQL, schema.Fingerprint = sqltext.FormatSchema(d.Objects), sqltext.Fingerprint(d.Objects)
	}
	d.Warnings.sort()
	return &Result{Dir: d.dir, Schema: schema, Warnings: d.Warnings, Untried: d.Untried}, nil
}

// program returns what runs a migration if it is not SQL.
func (d *directory) program(m *migration) lockstep.Program {
	if m.Ext == ".go" {
		return m.program(d.opts.Output, forAllDrivers)
	}
	return scriptPrograms[m.Ext]
}

// Stale returns "" when lockstep_gen.go is up to date, and otherwise one line that says
// why it is not.
func (r *Result) Stale() (string, error) {
	found, err := os.ReadFile(filepath.Join(r.Dir, FileName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return FileName + ": missing; " + wording.Generate(r.Dir), nil
	case err != nil:
		return "", err
	case bytes.Equal(genfile.LF(found), r.Source):
		return "", nil
	}
	i := 0
	for text := genfile.LF(found); i < min(len(text), len(r.Source)) && text[i] == r.Source[i]; {
		i++
	}
	line := 1 + bytes.Count(r.Source[:i], []byte("\n"))
	return fmt.Sprintf("%s:%d: out of date; %s", FileName, line, wording.Generate(r.Dir)), nil
}

// Commit writes lockstep_gen.go, by renaming a new file. It does not touch a file that
// is up to date. A file that lockstep did not generate is an error.
func (r *Result) Commit() error {
	if len(r.Source) == 0 {
		return errors.New("no source to write; Generate without Options.To")
	}
	err := genfile.Write(filepath.Join(r.Dir, FileName), r.Source)
	if errors.Is(err, genfile.ErrNotGenerated) {
		return Problems{{File: FileName, Fact: err.Error()}}
	}
	return err
}
