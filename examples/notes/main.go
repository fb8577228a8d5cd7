// Notes is a notebook in the browser: a web server, its pages and the migrations
// of its SQLite database in one binary.
//
// Usage:
//
//	notes [--db FILE | --demo] [--addr HOST:PORT]
//
// The first start makes the database. A later release that needs another schema
// upgrades the database when it starts; an earlier release refuses a database that
// is newer than itself. See [Open]. One that still runs then writes no more, and ends, so
// that whoever supervises it starts the later release. See [Store.Watch].
//
// The program answers requests while it upgrades: /health with status 200 and "starting", and
// every page with what is done.
//
// --demo shows this in the browser, on copies: a database of an earlier release is upgraded,
// and one of a later release is refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lockstep-db/lockstep/examples/notes/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

const defaultAddr = "127.0.0.1:8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

// run serves the notebook until ctx ends, or until it must not go on.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("notes", flag.ExitOnError)
	db := flags.String("db", "", "the database `FILE` (default lockstep-notes/notes.db in the user's configuration directory)")
	addr := flags.String("addr", "", "the `HOST:PORT` to listen on (default "+defaultAddr+", or a free port if that is in use)")
	demo := flags.Bool("demo", false, "show what happens to databases of other releases, on copies")
	flags.Parse(args)
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument; for a database, use --db FILE", flags.Arg(0))
	}
	if *demo && *db != "" {
		return fmt.Errorf("%s: --demo has databases of its own; leave out --db", *db)
	}
	listener, err := listen(*addr)
	if err != nil {
		return err
	}
	if *demo {
		return serveDemo(ctx, listener)
	}
	if *db == "" {
		if *db, err = defaultPath(); err != nil {
			return err
		}
	}
	return serve(ctx, listener, *db)
}

// serve serves the notebook in a database until ctx ends, or until a newer release has
// upgraded the database. While serve itself upgrades it, it says so.
func serve(ctx context.Context, listener net.Listener, path string) error {
	var s site
	server := &http.Server{Handler: &s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	store, err := Open(ctx, path, lockstep.WithProgress(s.report))
	if err != nil {
		return err
	}
	defer store.Close()
	s.open(Handler(store))
	fmt.Printf("database %s at version %v\n", path, migrations.ExpectedVersion)
	fmt.Printf("listening on http://%s\n", listener.Addr())

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- store.Watch(ctx) }()
	select {
	case err = <-served:
		return err
	case err = <-watched: // nil when ctx ends
	}
	// Let requests in progress finish.
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending))
}

// defaultPath returns the path of the user's database, and makes its folder.
func defaultPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the database: %w; use --db FILE", err)
	}
	dir = filepath.Join(dir, "lockstep-notes")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, "notes.db"), nil
}

// listen uses any free port if no address was given and the default one is in use.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		return net.Listen("tcp", addr)
	}
	if listener, err := net.Listen("tcp", defaultAddr); err == nil {
		return listener, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}
