package sqlite_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

func TestURI(t *testing.T) {
	for _, path := range []string{"/a/plain.db", "/a b/größe.db", "/a?mode=memory#x%41&y.db", "/:memory:"} {
		t.Run("MeansOnly"+path, func(t *testing.T) {
			uri := sqlite.URI(path, "mode=rw")
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			if u.Path != path || u.Host != "" || u.Fragment != "" || u.Query().Get("mode") != "rw" || strings.ContainsAny(uri, " ö") {
				t.Errorf("got %s", uri)
			}
		})
	}
}
