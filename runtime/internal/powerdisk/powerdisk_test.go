package powerdisk

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCrashes lists all that can be left of a few operations.
func TestCrashes(t *testing.T) {
	two := strings.Repeat("A", sector) + strings.Repeat("B", sector)
	for _, c := range []struct {
		claim string
		do    func(l *Log, path func(string) string)
		want  string // at the end: each outcome, sorted
	}{
		{"AWriteThatIsSynchronizedLasts", func(l *Log, path func(string) string) {
			l.Write(path("old"), []byte("new"), 0)
			l.Sync(path("old"))
		}, "old=new"},
		{"AWriteThatIsNotMayBeLost", func(l *Log, path func(string) string) {
			l.Write(path("old"), []byte("new"), 0)
		}, "old=new|old=old"},
		{"EachSectorMayBeLost", func(l *Log, path func(string) string) {
			l.Write(path("big"), []byte(two), 0)
		}, "big=A B,old=old|big=A b,old=old|big=a B,old=old|big=a b,old=old"},
		{"ANameThatIsNotSynchronizedMayBeLostThoughItsFileIs", func(l *Log, path func(string) string) {
			l.Link(path("old"), path("more"))
			l.Sync(path("old"))
		}, "more=old,old=old|old=old"},
		{"ANameWhoseFolderIsSynchronizedLasts", func(l *Log, path func(string) string) {
			l.Create(path("new"), false)
			l.Sync(path(""))
		}, "new=,old=old"},
		{"ARenameIsOneStep", func(l *Log, path func(string) string) {
			l.Rename(path("old"), path("new"))
		}, "new=old|old=old"},
		{"ARemovalMayBeLost", func(l *Log, path func(string) string) {
			l.Remove(path("old"))
		}, "|old=old"},
		{"WhatIsInAFolderIsLostWithIt", func(l *Log, path func(string) string) {
			l.Create(path("dir"), true)
			l.Create(path("dir/file"), false)
			l.Rename(path("dir"), path("other"))
		}, "dir/=,dir/file=,old=old|dir/=,old=old|old=old|old=old,other/=|old=old,other/=,other/file="},
		{"ASizeMayBeLost", func(l *Log, path func(string) string) {
			l.Truncate(path("old"), 1)
		}, "old=o|old=old"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			dir := t.TempDir()
			path := func(name string) string { return filepath.Join(dir, name) }
			files := map[string]string{"old": "old"}
			if strings.HasPrefix(c.want, "big") {
				files["big"] = strings.ToLower(two)
			}
			for name, text := range files {
				if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := New(dir)
			if err != nil {
				t.Fatal(err)
			}
			root := l.root
			c.do(l, func(name string) string { return filepath.Join(root, name) })
			d := l.start.clone()
			for _, op := range l.ops {
				d.do(op)
			}
			left := map[string]bool{}
			for draw := range 200 {
				left[outcome(d.clone().survive(newLuck(1, len(l.ops), draw)))] = true
			}
			if got := strings.Join(slices.Sorted(maps.Keys(left)), "|"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// outcome writes a tree in a short way: of a long file, the first byte of each sector.
func outcome(tree Tree) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		text := string(tree[name])
		if len(text) == 2*sector {
			text = text[:1] + " " + text[sector:sector+1]
		}
		all = append(all, name+"="+text)
	}
	return strings.Join(all, ",")
}
