package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/examples/notes/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

// older is what a user of version 2 wrote.
//
//lockstep:ignore sql: version 2 has tags in a column
const older = `INSERT INTO notes (title, body, created_at, tags) VALUES
	('Bread', 'Flour, water, salt; 18 hours', '2023-01-02 03:04:05', 'Kitchen, weekend'),
	('', 'A body without a title', '2023-06-07 08:09:10', ''),
	('Crème brûlée', 'Six yolks', '2024-02-29 23:59:59', 'kitchen,, kitchen ,')`

// newer is what a later release leaves. It changes the schema too, but this program looks
// no further than at the version.
const newer = `UPDATE _meta SET version = version + 1`

// A demo starts the program on the notebooks of other releases.
type demo struct {
	older, newer string // the databases

	mu    sync.Mutex
	log   strings.Builder // of the upgrade
	store *Store          // older, once it is upgraded
	pages http.Handler    // of store
}

// serveDemo serves the demo until ctx ends. Its databases are in a folder that it removes.
func serveDemo(ctx context.Context, listener net.Listener) error {
	dir, err := os.MkdirTemp("", "lockstep-notes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{older: filepath.Join(dir, "older.db"), newer: filepath.Join(dir, "newer.db")}
	if err := release(ctx, 2, d.older, older); err != nil {
		return err
	}
	if err := release(ctx, migrations.ExpectedVersion, d.newer, newer); err != nil {
		return err
	}
	defer d.close()
	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Printf("the demo is at http://%s/demo\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// release does what the release with a version of the database has done.
func release(ctx context.Context, version lockstep.Version, path, script string) error {
	schema, err := migrations.Schema.At(version)
	if err != nil {
		return err
	}
	db, err := open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := lockstep.Migrate(ctx, db, schema); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, script)
	return err
}

func (d *demo) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store != nil {
		d.store.Close()
	}
}

func (d *demo) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /demo", handler(d.show))
	mux.Handle("POST /demo/older", handler(d.upgrade))
	mux.Handle("GET /demo/newer", handler(d.refuse))
	mux.HandleFunc("GET /style.css", style)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		pages := d.pages
		d.mu.Unlock()
		if pages == nil {
			http.Redirect(w, r, "/demo", http.StatusSeeOther)
			return
		}
		pages.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// A demoView is what demo.html shows.
type demoView struct {
	Refusal  error // of the newer database, on a page of its own
	Behind   error // what is wrong with the older one, until it is upgraded
	Notes    []Note
	Log      string
	Expected lockstep.Version
}

// show shows the older database, before or after its upgrade.
func (d *demo) show(w http.ResponseWriter, r *http.Request) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := demoView{Log: d.log.String(), Expected: migrations.ExpectedVersion}
	if d.store != nil {
		v.Notes, err = d.store.Notes(r.Context(), "", false)
	} else {
		v.Notes, v.Behind, err = d.before(r.Context())
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, "demo.html", v)
}

// before returns the notes of version 2, and why this program cannot use them.
func (d *demo) before(ctx context.Context) (notes []Note, behind, err error) {
	db, err := open(d.older)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT title, tags FROM notes ORDER BY created_at DESC`) //lockstep:ignore sql: see older
	notes, err = collect(rows, err, func(n *Note) error {
		n.Tags = make([]string, 1)
		return rows.Scan(&n.Title, &n.Tags[0])
	})
	return notes, migrations.Check(ctx, db), err
}

// upgrade opens the older database, as the program does when it starts.
func (d *demo) upgrade(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil {
		log := slog.New(slog.NewTextHandler(io.MultiWriter(os.Stderr, &d.log), nil))
		store, err := Open(r.Context(), d.older, lockstep.WithLogger(log))
		if err != nil {
			return err
		}
		d.store, d.pages = store, server{store: store, demo: true}.handler()
	}
	http.Redirect(w, r, "/demo", http.StatusSeeOther)
	return nil
}

// refuse opens the newer database, as the program does when it starts.
func (d *demo) refuse(w http.ResponseWriter, r *http.Request) error {
	store, err := Open(r.Context(), d.newer)
	if err == nil {
		store.Close()
		return errors.New("the database of a newer release was opened")
	}
	slog.Error("refused", "error", err)
	return write(w, http.StatusServiceUnavailable, "demo.html", demoView{Refusal: err})
}
