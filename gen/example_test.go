package gen_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/gen"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	err = os.WriteFile(filepath.Join(dir, "0001-initialize.sql"), []byte("CREATE TABLE notes(title TEXT NOT NULL);\n"), 0o666)
	if err != nil {
		log.Fatal(err)
	}

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
	// CREATE TABLE notes(title TEXT NOT NULL);
}
