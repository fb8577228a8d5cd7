package lockstep_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestSchemaAt(t *testing.T) {
	s := schema(t, shop, 5)
	t.Run("IsThatOfAnEarlierRelease", func(t *testing.T) {
		path := fileAt(t, shop, 3)
		db := connect(t, path)
		before := contents(t, path)
		for v, want := range map[lockstep.Version]string{
			2: path + ": at version 0003, this program expects 0002: written by a newer program, not opened",
			3: "<nil>",
			4: path + ": at version 0003, this program expects 0004: pending 0004-raise-totals.sql\n\tlockstep migrate --db " + path,
		} {
			at, err := s.At(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(lockstep.Check(t.Context(), db, at)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if contents(t, path) != before {
			t.Error("the database has changed")
		}
	})
	t.Run("IsAWayToTheLastVersion", func(t *testing.T) {
		path := fileAt(t, shop, 0)
		db := connect(t, path)
		for _, v := range []lockstep.Version{0, 1, 3, 5} {
			at, err := s.At(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := lockstep.Migrate(t.Context(), db, at); err != nil {
				t.Fatal(err)
			}
			if got, want := rows(t, db, "SELECT version FROM _meta"), []string{fmt.Sprint(int(v))}; !slices.Equal(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got, want := contents(t, path), contents(t, fileAt(t, shop, 5)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("HasToBeThere", func(t *testing.T) {
		_, err := s.At(6)
		const want = "no migration 0006; the last is 0005"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestSchemaStale(t *testing.T) {
	const generate = "; generate before building\n\tgo generate ./..."
	for _, test := range []struct {
		claim  string
		change func(s *lockstep.Schema, files fstest.MapFS)
		want   string
	}{
		{"IsNilForWhatWasGenerated", func(*lockstep.Schema, fstest.MapFS) {}, "<nil>"},
		{"IsNilForOtherComments", func(_ *lockstep.Schema, files fstest.MapFS) {
			files["0001-shop.sql"].Data = append([]byte("-- more\r\n"), files["0001-shop.sql"].Data...)
		}, "<nil>"},
		{"NamesATextThatNoUpgradeWouldRead", func(_ *lockstep.Schema, files fstest.MapFS) {
			files["0001-shop.sql"].Data = append(files["0001-shop.sql"].Data, "DELETE FROM runs;"...)
		}, "0001-shop.sql: changed since lockstep_gen.go was generated" + generate},
		{"NamesAMigrationThatIsNotGenerated", func(_ *lockstep.Schema, files fstest.MapFS) {
			files["0006-more.sql"] = &fstest.MapFile{}
		}, "0006-more.sql: embedded, but not in lockstep_gen.go" + generate},
		{"NamesAMigrationThatIsGone", func(_ *lockstep.Schema, files fstest.MapFS) {
			delete(files, "0005-list-orders.sql")
		}, "0005-list-orders.sql: in lockstep_gen.go, but not embedded" + generate},
		{"NamesAMigrationThatIsGoneBeforeOthers", func(_ *lockstep.Schema, files fstest.MapFS) {
			delete(files, "0001-shop.sql")
		}, "0001-shop.sql: in lockstep_gen.go, but not embedded" + generate},
		{"SeesAVersionThatIsNotTheLast", func(s *lockstep.Schema, _ fstest.MapFS) { s.Expected = 6 },
			"lockstep_gen.go: ExpectedVersion or Digest does not match its migrations" + generate},
		{"SeesASchemaThatWasEdited", func(s *lockstep.Schema, _ fstest.MapFS) { s.SQL += "CREATE TABLE more (x);\n" },
			"lockstep_gen.go: Fingerprint does not match SchemaSQL" + generate},
	} {
		t.Run(test.claim, func(t *testing.T) {
			s := schema(t, shop, 5)
			test.change(s, s.Files.(fstest.MapFS))
			if got := fmt.Sprint(s.Stale()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
