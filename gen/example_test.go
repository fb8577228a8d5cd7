package gen_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3/ext/regexp"

	"github.com/lockstep-db/lockstep/gen"
)

func ExampleGenerate() {
	dir := directory("CREATE TABLE notes (title TEXT NOT NULL);\n")
	defer os.RemoveAll(dir)

	result, err := gen.Generate(context.Background(), dir, gen.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := result.Commit(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Schema.Expected)
	fmt.Print(result.Schema.SQL)
	// Output:
	// 0001
	// CREATE TABLE notes (title TEXT NOT NULL);
}

// Migrations that use functions of the application's generate with a program that
// registers them for the replay.
func ExampleGenerate_functions() {
	dir := directory("CREATE TABLE notes (title TEXT NOT NULL CHECK (title REGEXP '^[A-Z]'));\n")
	defer os.RemoveAll(dir)

	result, err := gen.Generate(context.Background(), dir, gen.Options{Conn: regexp.Register})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Schema.SQL)
	// Output: CREATE TABLE notes (title TEXT NOT NULL CHECK (title REGEXP '^[A-Z]'));
}

// Every problem of a directory is reported in one run.
func ExampleProblems() {
	dir := directory("CREATE TABLE notes (title TEXT NOT NULL);\nCREATE INDEX notes_by_title ON notes (titel);\n")
	defer os.RemoveAll(dir)

	_, err := gen.Generate(context.Background(), dir, gen.Options{})
	fmt.Println(err)
	// Output: 0001-initialize.sql:2:39: no such column: titel
}

// directory makes a directory with one migration.
func directory(text string) string {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "0001-initialize.sql"), []byte(text), 0o666); err != nil {
		log.Fatal(err)
	}
	return dir
}
