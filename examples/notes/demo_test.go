package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDemo goes through the demo like a person, step by step.
func TestDemo(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as SQLite names it
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveDemo(ctx, listener) }()

	const (
		before = "200 /demo: An earlier release wrote this database / “Crème brûlée” / kitchen,, kitchen , / “” / “Bread” / Kitchen, weekend" +
			" / Without an upgrade, this release would not use it: / DIR/older.db: at version 0002, this program expects 0007:" +
			" pending 0003-split-tags.sql, 0004-archive-notes.sql, 0005-keep-revisions.sql, 0006-search-notes.sql, 0007-count-tags.sql" +
			" / lockstep migrate --db DIR/older.db / Start this release on it"
		after = "200 /demo: An earlier release wrote this database / “Crème brûlée” / kitchen / “Untitled” / “Bread” / Kitchen / weekend" +
			" / This release was started on it, and upgraded it to version 0007. See / the notebook / , or what happens to / a newer database / . The log:" +
			" / time=… level=INFO msg=\"migration applied\" database=DIR/older.db version=0003 file=0003-split-tags.sql took=…" +
			" / time=… level=INFO msg=\"migration applied\" database=DIR/older.db version=0004 file=0004-archive-notes.sql took=…" +
			" / time=… level=INFO msg=\"migration applied\" database=DIR/older.db version=0005 file=0005-keep-revisions.sql took=…" +
			" / time=… level=INFO msg=\"migration applied\" database=DIR/older.db version=0006 file=0006-search-notes.sql took=…" +
			" / time=… level=INFO msg=\"migration applied\" database=DIR/older.db version=0007 file=0007-count-tags.sql took=…"
		refused = "503 /demo/newer: A later release has upgraded this database / This release was started on it, and refused:" +
			" / DIR/newer.db: at version 0008, this program expects 0007: written by a newer program, not opened" +
			" / It has changed nothing. The later release goes on with it."
	)
	for _, step := range []struct {
		claim string
		path  string
		form  url.Values
		want  string
	}{
		{"BeginsBeforeTheUpgrade", "/", nil, before},
		{"RefusesANewerDatabase", "/demo/newer", nil, refused},
		{"HasNotUpgradedYet", "/demo", nil, before},
		{"UpgradesAnOlderDatabase", "/demo/older", url.Values{}, after},
		{"UpgradesItOnce", "/demo/older", url.Values{}, after},
		{"OpensItsNotebook", "/?tag=weekend", nil, "200 /?tag=weekend: Notes tagged weekend / Bread / Flour, water, salt; 18 hours / TIME / Kitchen / weekend"},
		{"StillRefusesTheNewerOne", "/demo/newer", nil, refused},
	} {
		t.Run(step.claim, func(t *testing.T) {
			got := visit(t, "http://"+listener.Addr().String(), step.path, step.form)
			got = regexp.MustCompile(`[^\s=]*lockstep-notes-\d+[/\\]`).ReplaceAllString(got, "DIR/")
			got = regexp.MustCompile(`(time|took)=\S+`).ReplaceAllString(got, "$1=…")
			if got != step.want {
				t.Errorf("got  %s\nwant %s", got, step.want)
			}
		})
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
