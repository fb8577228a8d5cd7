package main

import (
	"strings"
	"testing"
	"time"

	lockstep "github.com/lockstep-db/lockstep/runtime"
)

func TestProgress(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	show := func(elapsed ...time.Duration) string {
		var out strings.Builder
		ticks := make(chan time.Time)
		p := newProgress(&out, begun, ticks)
		for i, d := range elapsed {
			ticks <- begun.Add(d)
			if i == 0 {
				ticks <- begun // the first line is written when this one is taken
			}
			p.report(lockstep.Progress{File: "0002-a.sql", Migration: 1, Migrations: 2, Statement: 3, Statements: 7})
		}
		p.stop()
		return out.String()
	}

	t.Run("ShowsNothingWithinASecond", func(t *testing.T) {
		if got := show(200*time.Millisecond, 999*time.Millisecond); got != "" {
			t.Errorf("got %q; want nothing", got)
		}
	})
	t.Run("ShowsWhatTakesLongerAndErasesIt", func(t *testing.T) {
		got := show(time.Second, 83*time.Second)
		want := "\r\x1b[Kwaiting for the database, 1s" +
			"\r\x1b[Kmigration 1 of 2: 0002-a.sql, statement 3 of 7, 1m23s" +
			"\r\x1b[K"
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("IsSilentWhereThereIsNoTerminal", func(t *testing.T) {
		var out strings.Builder
		p := startProgress(&out)
		p.report(lockstep.Progress{File: "0002-a.sql"})
		p.stop()
		if out.String() != "" {
			t.Errorf("got %q; want nothing", out.String())
		}
	})
}
