package proof_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
)

// A work is what a program does to a database and the files beside it.
type work struct {
	name    string
	journal string
	program func(t testing.TB, path string) *program
	prepare func(t testing.TB, path string) // makes the folder
	kept    bool                            // a new database has a backup of the old one beside it
	made    bool                            // the program makes a backup, if it is done
	lasting bool                            // what was done is not lost
	between func(t testing.TB) []string     // what the database may hold besides
	others  []string                        // what else prepare makes

	folder  string // what prepare made
	damaged string // the database in there, if it is none
	allowed []string
	backup  string   // what each backup holds
	source  []string // what is generated: the old and the new one
	run     *program
}

// works are all that there are, or in a plain run some.
func works() (ws []*work) {
	upgrade := func(archive string, of func(*program)) func(t testing.TB, path string) *program {
		return func(t testing.TB, path string) *program {
			p := newProgram(t, schemaOf(t, archive, all), path)
			of(p)
			return p
		}
	}
	plain := func(*program) {}
	restore := func(_ testing.TB, path string) *program {
		return &program{Work: "restore", Path: path, Backup: filepath.Join(filepath.Dir(path), "old", "backup.db")}
	}
	byForce := func(t testing.TB, path string) *program { // which moves aside what it cannot back up
		p := restore(t, path)
		p.Force = true
		return p
	}
	try := upgrade(shop, func(p *program) { p.Work = "try" })
	generate := func(_ testing.TB, path string) *program { return &program{Work: "generate", Path: path} }
	backup := func(_ testing.TB, path string) *program { return &program{Work: "backup", Path: path} }
	for _, journal := range []string{"delete", "wal"} {
		old := func(t testing.TB, path string) {
			databaseAt(t, filepath.Dir(path), shop, 1, "_pragma=journal_mode("+journal+")")
		}
		toRestore := func(prepare func(t testing.TB, path string)) func(t testing.TB, path string) {
			return func(t testing.TB, path string) {
				prepare(t, path)
				from := databaseAt(t, newFolder(t), shop, 4)
				dir := filepath.Join(filepath.Dir(path), "old")
				if err := errors.Join(os.Mkdir(dir, 0o700), os.Rename(from, filepath.Join(dir, "backup.db"))); err != nil {
					t.Fatal(err)
				}
			}
		}
		wal := journal == "wal"
		ws = append(ws,
			&work{name: "UpgradeWithBackup", program: upgrade(shop, func(p *program) { p.Keep = 2 }), prepare: old, kept: true, lasting: wal},
			&work{name: "UpgradeByScript", program: upgrade(byScript, plain), prepare: old, lasting: wal},
			&work{name: "Backup", program: backup, prepare: old, made: true},
			&work{name: "Restore", program: restore, prepare: toRestore(old), kept: true, lasting: true},
			&work{name: "UpgradeByGo", program: upgrade(byGo, plain), prepare: old, lasting: wal})
		if *long {
			ws = append(ws,
				&work{name: "Upgrade", program: upgrade(shop, plain), prepare: old, lasting: wal},
				&work{name: "UpgradePerMigration", program: upgrade(shop, func(p *program) { p.Each = true }), prepare: old, between: versions(shop), lasting: wal},
				&work{name: "UpgradeWithoutTransaction", program: upgrade(alone, plain), prepare: old, between: aloneBetween},
				&work{name: "Try", program: try, prepare: with(old, "tmp"), others: []string{"tmp"}},
				&work{name: "UpgradeByScriptPerMigration", program: upgrade(byScript, func(p *program) { p.Each = true }), prepare: old, between: versions(byScript), lasting: wal})
		}
		if !wal {
			damaged := func(t testing.TB, path string) {
				if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ws = append(ws,
				&work{name: "Generate", program: generate, prepare: toGenerate, others: []string{"migrations"}},
				&work{name: "RestoreOfNothing", program: restore, prepare: toRestore(func(testing.TB, string) {}), lasting: true},
				&work{name: "RestoreByForce", program: byForce, prepare: toRestore(damaged), lasting: true})
		}
		for _, w := range ws {
			w.journal = cmp.Or(w.journal, journal)
		}
		if !*long {
			break
		}
	}
	return ws
}

// with returns what makes a folder, too.
func with(prepare func(t testing.TB, path string), name string) func(t testing.TB, path string) {
	return func(t testing.TB, path string) {
		prepare(t, path)
		if err := os.Mkdir(filepath.Join(filepath.Dir(path), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// toGenerate makes a folder of migrations, of which the last is new.
func toGenerate(t testing.TB, path string) {
	t.Helper()
	with(func(testing.TB, string) {}, "migrations")(t, path)
	for _, f := range txtar.Parse([]byte(shop)).Files {
		if strings.HasPrefix(f.Name, "0004") {
			if err := (&program{Work: "generate", Path: path}).run(false); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "migrations", f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// begin makes the folder of which copies are worked on, and finds out what may become of it.
func (w *work) begin(t testing.TB) {
	t.Helper()
	w.folder = newFolder(t)
	path := filepath.Join(w.folder, "data.db")
	w.prepare(t, path)
	w.run = w.program(t, path)
	w.allowed = nil
	if old, err := holds(copied(t, w.folder)); err == nil {
		w.allowed, w.backup = []string{old}, old
	} else if text, e := os.ReadFile(path); e == nil {
		w.allowed, w.damaged = []string{"damaged"}, string(text)
	} else {
		w.allowed = []string{""} // there is no database
	}
	if w.between != nil {
		w.allowed = append(w.allowed, w.between(t)...)
	}
	newest := copied(t, w.folder)
	w.source = generated(w.folder)
	if err := w.here(newest).run(false); err != nil {
		t.Fatal(err)
	}
	w.source = append(w.source, generated(filepath.Dir(newest))...)
	w.allowed = append(w.allowed, must(t)(holds(newest)))
}

// generated returns what was generated in a folder, if anything.
func generated(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "migrations", gen.FileName))
	if err != nil {
		return nil
	}
	return []string{string(text)}
}

// here returns the program with another folder.
func (w *work) here(path string) *program {
	p := w.run.at(path)
	if p.Backup != "" {
		p.Backup = filepath.Join(filepath.Dir(path), "old", "backup.db")
	}
	return p
}

// copied returns the path of the database in a copy of a folder.
func copied(t testing.TB, folder string) string {
	t.Helper()
	dir := newFolder(t)
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data.db")
}

// inspect returns what is wrong with the files in a folder.
func (w *work) inspect(dir string, said []string) error {
	path := filepath.Join(dir, "data.db")
	backups, err := lockstep.Backups(path)
	if err != nil {
		return err
	}
	for _, b := range backups {
		if got, err := holds(b.Path); err != nil || got != w.backup {
			return fmt.Errorf("what has the name of a backup is none: %w\n%s", err, got)
		}
	}
	isDone := slices.Contains(said, done)
	if len(backups) == 0 && w.made && isDone {
		return errors.New("the backup that was made is lost")
	}
	if w.kept && len(backups) == 0 {
		if got, err := holds(path); err == nil && got != w.backup {
			return errors.New("the database is new, and there is no backup of the old one")
		}
	}
	if w.damaged != "" {
		here, _ := os.ReadFile(path)
		aside, _ := filepath.Glob(path + ".*.damaged")
		for _, name := range aside {
			if text, _ := os.ReadFile(name); string(text) == w.damaged {
				here = text
			}
		}
		if string(here) != w.damaged {
			return errors.New("the damaged database is lost")
		}
	}
	if len(w.source) > 0 {
		here := generated(dir)
		if len(here) == 0 || !slices.Contains(w.source, here[0]) || isDone && here[0] != w.source[1] {
			return fmt.Errorf("what is generated is neither old nor new: %q", here)
		}
	}
	if w.run.Backup != "" {
		if got, err := holds(filepath.Join(dir, "old", "backup.db")); err != nil || got != w.allowed[len(w.allowed)-1] {
			return fmt.Errorf("the backup that is restored has changed: %w\n%s", err, got)
		}
	}
	return nil
}

// restart does the work again, and returns an error if something is left beside the database
// then that nobody asked for. (What scripts left, a start removes if it gets the lock within a
// tenth of a second.)
func (w *work) restart(path string) error {
	before, _ := holds(path)
	var left error
	for range 3 {
		if err := w.here(path).run(false); err != nil {
			return err
		}
		if left = w.leavesNothing(path, before); left == nil {
			break
		}
	}
	return left
}

func (w *work) leavesNothing(path, before string) error {
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "tmp", "*")); len(left) > 0 {
		return fmt.Errorf("of the copy is left %s", left)
	}
	backups, _ := lockstep.Backups(path)
	for name := range strings.SplitSeq(beside(path), " ") {
		isBackup := slices.ContainsFunc(backups, func(b lockstep.Backup) bool { return filepath.Base(b.Path) == name })
		// The next backup removes what is left of one.
		isPart := strings.HasSuffix(name, ".backup-part") && w.run.Work == "migrate" && before == w.allowed[len(w.allowed)-1]
		if name != "data.db" && name != "old" && !slices.Contains(w.others, name) && !isBackup && !isPart && !strings.Contains(name, ".damaged") {
			return fmt.Errorf("beside the database is %s", name)
		}
	}
	return nil
}

// TestProofLossOfFiles has the machine die while files are made, linked, renamed and removed
// besides what SQLite does.
func TestProofLossOfFiles(t *testing.T) {
	needsTracing(t)
	for _, w := range works() {
		if w.name == "Generate" {
			continue // like other files of source, it is not synchronized
		}
		t.Run(w.name+"/"+w.journal, func(t *testing.T) {
			if *long && strings.HasPrefix(w.name, "Upgrade") { // see TestProofFailingCalls
				t.Parallel()
			}
			l := w.record(t)
			var n powerdisk.Tried
			for _, fault := range l.faults(t, sampling(1, 0), &n, 3) {
				t.Error(fault)
			}
			if t.Failed() {
				t.Logf("\n%s", l.log)
			}
			t.Logf("%+v", n)
			countCrashes(n)
		})
	}
}

func needsTracing(t testing.TB) {
	t.Helper()
	if err := systemcalls.Supported(); err != nil {
		t.Skip(err)
	}
}

// record does the work once, in a program that is watched.
func (w *work) record(t testing.TB) *lossOfPower {
	t.Helper()
	w.begin(t)
	path := copied(t, w.folder)
	log, err := powerdisk.New(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Log: log}
	if stderr, err := w.trace(t, path, trace); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	return &lossOfPower{log: log, allowed: w.allowed, damaged: w.damaged, lasting: w.lasting, inspect: w.inspect, restart: w.restart}
}

// trace does the work in another process.
func (w *work) trace(t testing.TB, path string, trace *systemcalls.Tracer) (stderr string, err error) {
	t.Helper()
	return traced(t, w.here(path), trace)
}

// traced runs a program that is watched.
func traced(t testing.TB, p *program, trace *systemcalls.Tracer) (stderr string, err error) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if trace.Kinds == systemcalls.Locks {
		p.Within = 300 * time.Millisecond // one that cannot be had is asked for again
	}
	cmd := p.command(t)
	cmd.Stderr = out
	err = trace.Run(cmd)
	text, _ := os.ReadFile(out.Name())
	return string(text), err
}
