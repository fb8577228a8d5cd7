package database

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileURI(t *testing.T) {
	for _, path := range []string{"/a/plain.db", "/a b/größe.db", "/a?mode=memory#x%41&y.db", "/:memory:", "//host/x.db"} {
		t.Run("MeansOnly"+path, func(t *testing.T) {
			uri, err := fileURI(path, "mode=rw")
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := u.Path, filepath.Clean(path); got != want {
				t.Errorf("path %q; want %q", got, want)
			}
			if u.Host != "" || u.Fragment != "" || u.Query().Get("mode") != "rw" || strings.ContainsAny(uri, " ö") {
				t.Errorf("got %s", uri)
			}
		})
	}
}
