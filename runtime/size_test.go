package lockstep_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen"
)

// TestBinarySize builds a program that reads and writes a database, and the same with
// migrations embedded, as programs are shipped: without symbols for a debugger.
//
// (In the packages that it links, functions that would be inlined into many others, and make
// a program larger by a quarter to six KiB each, have the directive go:noinline.)
func TestBinarySize(t *testing.T) {
	if testing.Short() {
		t.Skip("links two programs")
	}
	t.Run("GrowsByTheMigrationsAndALittle", func(t *testing.T) {
		const limit = 568 << 10
		dir := programs(t)
		plain, with := binarySize(t, dir, "./plain"), binarySize(t, dir, "./migrating")
		var embedded int64
		for _, f := range library(100, 20) {
			embedded += int64(len(f.Data))
		}
		grown := with - plain - embedded
		text, err := os.ReadFile(filepath.Join(dir, "migrating.out"))
		if err != nil {
			t.Error(err)
		}
		for _, unused := range []struct{ what, words string }{
			{"that makes no backups", "VACUUM INTO"},
			{"without migrations in Go", "one of its goroutines was using lockstep.Tx"},
			{"without CheckTx and Watch", "upgraded by a newer program while this one ran"},
			{"without Watch", "PRAGMA data_version"},
			{"without WithWait", "nobody else upgraded it for"},
		} {
			if bytes.Contains(text, []byte(unused.words)) {
				t.Errorf("a program %s has the code for it", unused.what)
			}
		}
		t.Logf("%d bytes without, %d more with, of which %d are the migrations", plain, with-plain, embedded)
		if grown > limit {
			t.Errorf("grew by %d bytes beyond the migrations, want at most %d", grown, limit)
		}
	})
}

// programs writes a module of two programs that differ in lockstep alone.
func programs(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// The versions of what both need are this module's.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/lockstep-db/lockstep"
	text := strings.Replace(string(mod), "module "+module, "module example.com/size", 1)
	text = strings.Replace(text, "\ntool "+module+"/cmd/lockstep\n", "", 1)
	write("go.mod", text+fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", module, root))
	write("go.sum", string(sum))

	const main = `package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"

	_ "github.com/ncruces/go-sqlite3/driver"%s
)

func main() {
	ctx := context.Background()
	db, err := sql.Open("sqlite3", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}%s
	if _, err := db.ExecContext(ctx, "INSERT INTO t1 (title) VALUES (?)", "one more"); err != nil {
		log.Fatal(err)
	}
	var title string
	if err := db.QueryRowContext(ctx, "SELECT title FROM t1").Scan(&title); err != nil {
		log.Fatal(err)
	}
	fmt.Println(title)
}
`
	write("plain/main.go", fmt.Sprintf(main, "", ""))
	write("migrating/main.go", fmt.Sprintf(main, "\n\n\t\"example.com/size/migrations\"", `
	if err := migrations.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}`))
	write("migrations/migrations.go", "package migrations\n")
	for name, f := range library(100, 20) {
		write("migrations/"+name, string(f.Data))
	}
	result, err := gen.Generate(context.Background(), filepath.Join(dir, "migrations"), gen.Options{})
	if err == nil {
		err = result.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func binarySize(t *testing.T, dir, pkg string) int64 {
	t.Helper()
	binary := filepath.Join(dir, filepath.Base(pkg)+".out")
	cmd := exec.Command("go", "build", "-mod=mod", "-ldflags=-s -w", "-o", binary, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
