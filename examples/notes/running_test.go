package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// upgraded is what a newer release leaves.
const upgraded = `DROP VIEW tag_counts; UPDATE _meta SET version = version + 1`

func TestNewerRelease(t *testing.T) {
	t.Run("IsNotWrittenUnder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.db")
		store := openStore(t, path)
		site := httptest.NewServer(Handler(store))
		defer site.Close()
		said := func(res *http.Response, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var page strings.Builder
			if err := res.Write(&page); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(page.String(), "\r\n\r\n")
			return res.Status + ": " + text(body)
		}
		post := func(path string) string {
			t.Helper()
			return said(http.PostForm(site.URL+path, url.Values{"title": {"Bread"}}))
		}
		if got, want := post("/notes/new"), "200 OK: [Bread] / [] / Save / Archive"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		execute(t, path, upgraded)
		const want = "503 Service Unavailable: a newer version is running; reload"
		for _, path := range []string{"/notes/new", "/notes/1", "/notes/1/archive", "/notes/1/restore", "/notes/1/delete"} {
			if got := post(path); got != want {
				t.Errorf("%s: got %s, want %s", path, got, want)
			}
		}
		for _, path := range []string{"/", "/archive", "/search?q=bread", "/notes/new", "/notes/1"} {
			if got := said(http.Get(site.URL + path)); got != want {
				t.Errorf("%s: got %s, want %s", path, got, want)
			}
		}
		var title string
		err := store.db.QueryRow(`SELECT group_concat(title || coalesce(archived_at, '')) FROM notes`).Scan(&title)
		if err != nil || title != "Bread" {
			t.Errorf("notes: %q, %v", title, err)
		}
	})
	t.Run("EndsTheServer", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.db")
		openStore(t, path).Close()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- serve(context.Background(), listener, path) }()
		for ok := false; !ok; {
			res, err := http.Get("http://" + listener.Addr().String() + "/")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			ok = res.StatusCode == http.StatusOK
		}
		execute(t, path, upgraded)
		if err := <-ended; !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("got %v, want ErrAhead", err)
		}
		if _, err := http.Get("http://" + listener.Addr().String() + "/"); err == nil {
			t.Error("it still answers")
		}
	})
}
