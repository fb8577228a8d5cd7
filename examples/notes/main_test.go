package main

import "testing"

func TestRun(t *testing.T) {
	t.Run("RefusesAnUnknownArgument", func(t *testing.T) {
		err := run(t.Context(), []string{"--addr", "nowhere", "my.db", "--db", "other.db"})
		const want = "my.db: unexpected argument; for a database, use --db FILE"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}
