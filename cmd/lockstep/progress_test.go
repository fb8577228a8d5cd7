package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestProgress(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	show := func(width int, elapsed ...time.Duration) string {
		var out strings.Builder
		ticks := make(chan time.Time)
		var p progress
		p.showOn(&out, func() int { return width }, begun, ticks)
		for i, d := range elapsed {
			ticks <- begun.Add(d)
			if i == 0 {
				ticks <- begun // the first line is written when this one is taken
			}
			p.report(lockstep.Progress{File: "0002-a.sql", Migration: 1, Migrations: 2, Statement: 3, Statements: 7, Rows: 1234567})
		}
		p.stop()
		return out.String()
	}

	t.Run("ShowsNothingWithinASecond", func(t *testing.T) {
		if got := show(0, 200*time.Millisecond, 999*time.Millisecond); got != "" {
			t.Errorf("got %q; want nothing", got)
		}
	})
	t.Run("ShowsWhatTakesLongerAndErasesIt", func(t *testing.T) {
		got := show(0, time.Second, 83*time.Second, 83*time.Second)
		const line = "migration 1 of 2: 0002-a.sql, statement 3 of 7, 1234567 rows written, 1m23s"
		want := "\rwaiting for the database, 1s" +
			"\r" + line +
			"\r" + strings.Repeat(" ", len(line)) + "\r"
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("NeedsOneLineOfANarrowTerminal", func(t *testing.T) {
		got := show(21, time.Second, 83*time.Second)
		want := "\rwaiting for the data" +
			"\rmigration 1 of 2: 00" +
			"\r" + strings.Repeat(" ", 20) + "\r"
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("SaysThatABackupIsMade", func(t *testing.T) {
		var p progress
		p.report(lockstep.Progress{Doing: "copying", Backup: "data.db.v0001.backup"})
		if got, want := p.line(2*time.Second), "copying backup: data.db.v0001.backup, 2s"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("SaysThatTheUpgradeIsChecked", func(t *testing.T) {
		var p progress
		p.report(lockstep.Progress{Doing: "checking", Migration: 2, Migrations: 2})
		if got, want := p.line(83*time.Second), "checking the database, 1m23s"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
	t.Run("TakesOtherDevicesForNoTerminal", func(t *testing.T) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		if isTerminal(null) {
			t.Errorf("%s is a terminal", os.DevNull)
		}
	})
	t.Run("IsSilentWhereThereIsNoTerminal", func(t *testing.T) {
		var out strings.Builder
		var p progress
		p.start(&out)
		p.report(lockstep.Progress{File: "0002-a.sql"})
		p.stop()
		if out.String() != "" {
			t.Errorf("got %q; want nothing", out.String())
		}
	})
}
