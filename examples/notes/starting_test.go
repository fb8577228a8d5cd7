package main

import (
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestStarting starts the program on the notebook of an early release, which somebody else
// writes to, so that the upgrade has to wait.
func TestStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.db")
	script, err := os.ReadFile("testdata/version-0002.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, path, string(script))
	other, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path)+"?_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, path) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	get := func(path string) string {
		t.Helper()
		res, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(res.Status + ": " + text(string(body)))
	}
	// until asks until the answer is no longer the one before, and compares it.
	until := func(path, before, want string) {
		t.Helper()
		got := get(path)
		for deadline := time.Now().Add(30 * time.Second); got == before && time.Now().Before(deadline); got = get(path) {
			time.Sleep(10 * time.Millisecond)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}

	until("/", "503 Service Unavailable: starting", "503 Service Unavailable: upgrading, waiting")
	if got, want := get("/health"), "200 OK: starting"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	until("/health", "200 OK: starting", "200 OK: ok")
	until("/?tag=weekend", "", "200 OK: Notes tagged weekend / Bread / Flour, water, salt; 18 hours / TIME / Kitchen / weekend")
}

// TestReloads has a page reloaded only where nothing that was typed is lost with it.
func TestReloads(t *testing.T) {
	for method, want := range map[string]string{"GET": "1", "POST": ""} {
		page := httptest.NewRecorder()
		new(site).ServeHTTP(page, httptest.NewRequest(method, "/notes/1", nil))
		if got := page.Header().Get("Refresh"); got != want {
			t.Errorf("%s: got %q, want %q", method, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		claim    string
		progress lockstep.Progress
		want     string
	}{
		{"NamesTheVersionAndTheRows", lockstep.Progress{Doing: "running", Version: 4, Rows: 1_234_567}, "upgrading, 0004, 1.2 million rows"},
		{"CountsFewerRowsInThousands", lockstep.Progress{Doing: "running", Version: 4, Rows: 81_234}, "upgrading, 0004, 81 thousand rows"},
		{"SaysHowLongItHasBeen", lockstep.Progress{Doing: "checking", Rows: 812, Elapsed: 83*time.Second + time.Second/2}, "upgrading, checking, 812 rows, 83s"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var s site
			s.report(test.progress)
			page := httptest.NewRecorder()
			s.ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
			if got := strings.TrimSpace(page.Body.String()); got != test.want || page.Code != http.StatusServiceUnavailable {
				t.Errorf("got %d %s, want %s", page.Code, got, test.want)
			}
		})
	}
}
