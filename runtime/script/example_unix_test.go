//go:build unix

package script_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/script/internal/example/migrations"
)

// A program whose migrations include scripts starts like any other: its generated code
// imports this package.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := driver.Open("file:" + filepath.ToSlash(dir) + "/data.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	if err := migrations.Migrate(context.Background(), db); err != nil {
		log.Fatal(err)
	}

	fmt.Println("at version", migrations.ExpectedVersion)
	// Output: at version 0003
}

// A program registers on connections to the copy what it registers on its own.
func ExampleWithConn() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	register := func(conn *sqlite3.Conn) error {
		return conn.CreateFunction("slug", 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			ctx.ResultText(strings.ReplaceAll(strings.ToLower(arg[0].Text()), " ", "-"))
		})
	}
	db, err := driver.Open("file:"+filepath.ToSlash(dir)+"/data.db", register)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	err = migrations.Migrate(context.Background(), db, script.WithConn(register))
	fmt.Println(err)
	// Output: <nil>
}
