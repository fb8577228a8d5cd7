package sqltext_test

import (
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func TestDigest(t *testing.T) {
	type migration struct {
		version  int
		checksum string
	}
	one, two := migration{1, "t1:aa"}, migration{2, "t1:bb"}
	digest := func(migrations ...migration) string {
		var d sqltext.Digest
		for _, m := range migrations {
			d.Add(m.version, m.checksum)
		}
		return d.String()
	}
	t.Run("IsTheSameForEver", func(t *testing.T) {
		// Databases hold it.
		if got, want := digest(one, two), "t1:9e561cd40edbb0b065fab9a0f5778a4d"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("ChangesWithNumberTextAndOrder", func(t *testing.T) {
		seen := make(map[string]bool)
		edited, moved := migration{2, "t1:cc"}, migration{3, "t1:bb"}
		for _, d := range []string{digest(), digest(one), digest(two), digest(one, two), digest(two, one), digest(one, edited), digest(one, moved)} {
			if seen[d] {
				t.Errorf("%s comes twice", d)
			}
			seen[d] = true
		}
	})
}
