package lockstep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// The reasons for which [Migrate], [Check] and [Enroll] refuse a database. errors.Is finds
// them in the error that these return, and errors.As finds the numbers in an [*Error].
// lockstep writes nothing to a database that it refuses.
var (
	// ErrBehind: the database is older than the program. Only Check returns it, and
	// Migrate when the database cannot be written to.
	ErrBehind = errors.New("database is behind")

	// ErrAhead: the database is newer than the program.
	ErrAhead = errors.New("database is ahead")

	// ErrUnmanaged: the database has tables and no version.
	ErrUnmanaged = errors.New("database is not managed")

	// ErrManaged: the database has a version. Only Enroll returns it.
	ErrManaged = errors.New("database is managed")

	// ErrDiverged: the database came to its version by other migrations.
	ErrDiverged = errors.New("database has diverged")

	// ErrDrift: the database is at the version, but its tables are not what the
	// migrations produce. Or somebody has made a column or table in it by hand, and an
	// upgrade would lose the values.
	ErrDrift = errors.New("database has drifted")

	// ErrBusy: the database was locked for longer than Migrate or Check wait.
	ErrBusy = errors.New("database is busy")

	// ErrStale: the program was built without running go generate. It embeds a
	// migration that its generated code does not know, or one with other contents.
	ErrStale = errors.New("generated code is stale")

	// ErrUnreadable: the version cannot be read, because the file is damaged or not a
	// database, or because _meta does not hold one version.
	ErrUnreadable = errors.New("cannot read the version")

	// ErrUnreachable: the connection to a server was lost, and could not be had again for as
	// long as Migrate or Check wait. The error says what was last known of the database.
	ErrUnreachable = errors.New("database cannot be reached")

	// ErrForeignKey: the upgrade would have left rows whose parent does not exist. It
	// was rolled back.
	ErrForeignKey = errors.New("rows without a parent")

	// ErrMemory: the database is in memory, and the pool's connections do not share it.
	ErrMemory = errors.New("in-memory database is not shared")

	// ErrReplaced: the file was deleted, or replaced by another one, while the program
	// had it open. Only Watch returns it.
	ErrReplaced = errors.New("database file was replaced")

	// ErrBackup: the backup that [WithBackup] asks for could not be made. Nothing was
	// upgraded.
	ErrBackup = errors.New("backup failed")
)

// An Error says why a database was refused.
type Error struct {
	Kind     error   // one of the Err values of this package, or nil if Err is all there is to say
	DB       string  // the database's file as SQLite names it, or ":memory:"
	Version  Version // the database is at
	Expected Version // the program is written for

	Pending     []string             // ErrBehind: files that an upgrade would run
	Differences []sqltext.Difference // ErrDrift
	Violations  []Violation          // ErrForeignKey
	Digest      string               // ErrDiverged, ErrDrift: what [WithAllowed] takes

	// Backup is the file that [WithBackup] made before an upgrade that failed. With
	// ErrDiverged it is the way back: of the backups beside the database, the newest of
	// a version before the first migration that differs. "" if there is none.
	Backup string

	Detail string // more about the case, as part of a sentence
	Err    error  // the driver's error, if there is one

	since     Version // with ErrDiverged: of the first migration that differs
	enrolling bool    // found by Enroll
	upgrading bool    // found in the transaction of an upgrade, which was rolled back
	remains   string  // the file of a migration that could not be rolled back
	ended     error   // why the context ended, if it did
}

// Unwrap lets errors.Is find the kind of the error, the driver's error, and the
// context's if the context had ended.
func (e *Error) Unwrap() error { return errors.Join(e.Kind, e.Err, e.ended) }

// Error returns one line, and a second with a command if one repairs it.
func (e *Error) Error() string {
	s := e.fact()
	if e.DB != "" {
		s = e.DB + ": " + s
	}
	if e.remains != "" {
		s += "; still at " + e.Version.String() + ", but " + e.remains + " has no transaction and took effect"
	} else if e.upgrading {
		s += "; rolled back, still at " + e.Version.String()
	}
	if e.Backup != "" && e.Kind != ErrDiverged {
		s += "; the backup is " + e.Backup
	}
	if e.Digest != "" {
		s += "; to start anyway, allow " + e.Digest
	}
	switch {
	case e.ended != nil:
		s += ": " + e.ended.Error()
	case e.Kind == ErrBusy && !sqlite.IsBusy(e.Err): // an interrupt says nothing
	case e.Err != nil:
		s += ": " + sqlite.Sentence(e.Err)
	}
	s = wording.Printable(s)
	if command := e.command(); command != "" {
		s += "\n\t" + wording.Printable(command)
	}
	return s
}

// fact says what is wrong.
func (e *Error) fact() string {
	at := "at version " + e.Version.String()
	switch e.Kind {
	case ErrBehind, ErrAhead:
		s := at + ", this program expects " + e.Expected.String() + ": "
		if e.Kind == ErrAhead {
			return s + cmp.Or(e.Detail, "written by a newer program, not opened")
		}
		return s + "pending " + wording.List(len(e.Pending), ", ", func(i int) string { return e.Pending[i] }) + e.Detail
	case ErrUnmanaged:
		if !e.enrolling {
			return e.Detail + ": not managed"
		}
	case ErrManaged:
		return "already " + at + "; nothing was written"
	case ErrDiverged:
		return at + ", but by other migrations: " + e.Detail
	case ErrDrift:
		s := at + ", but its tables differ: "
		if e.enrolling {
			s = "not enrolled: its tables are not those of version " + e.Expected.String() + ": "
		} else if e.Detail != "" {
			s = e.Detail
		} else if e.upgrading {
			s = "the upgrade to " + e.Expected.String() + " produced different tables: "
		}
		return s + wording.List(len(e.Differences), "; ", func(i int) string { return e.Differences[i].Detail })
	case ErrForeignKey:
		return "the upgrade to " + e.Expected.String() + " leaves rows without a parent: " + wording.List(len(e.Violations), "; ", func(i int) string { return e.Violations[i].String() }) + e.Detail
	case ErrUnreadable:
		if e.Detail == "" {
			return "cannot read the version"
		}
		return "cannot read the version: " + e.Detail
	}
	return e.Detail
}

// command returns the command that repairs it, or "".
func (e *Error) command() string {
	args := []string{"lockstep", "", "--db", e.DB}
	switch {
	case e.Kind == ErrUnmanaged && !e.enrolling:
		args[1] = "enroll"
	case e.Kind == ErrBehind && e.Err == nil:
		args[1] = "migrate"
	case e.Kind == ErrDiverged && e.since == e.Expected && e.Version == e.Expected:
		args[1] = "redo"
	case e.Kind == ErrDiverged && e.Backup != "":
		args[1] = "restore"
		args = append(args, e.Backup)
	case e.Kind == ErrStale:
		return "go generate ./..."
	default:
		return ""
	}
	return wording.CommandLine(args...)
}

// A MigrationError says which statement of which migration failed.
type MigrationError struct {
	DB      string  // the database's file as SQLite names it, or ":memory:"
	File    string  // the migration; "" if what failed is none
	Line    int     // of the statement's first word, from 1; 0 in a program
	Version Version // the database is at

	// RolledBack says that the database is as it was at Version. If not, a part of a
	// migration without a transaction may be done, or a COMMIT may have taken effect.
	RolledBack bool

	// Done is the lines of the statements before that took effect, because the migration
	// runs without a transaction. They will run again.
	Done []int

	// Culprits are the rows for which the statement failed on a constraint, as it found them,
	// where that can be found out with certainty. Their content is not in the error.
	Culprits sqlite.Culprits

	Backup string // the file that [WithBackup] made before the upgrade; "" if it made none
	Err    error  // the driver's error, or how a program ended
	Output string // the end of what a failed script wrote to standard error, or else to standard output

	kind      error   // ErrBusy, or nil
	unstarted bool    // nothing has run
	committed Version // the version if the COMMIT that failed took effect; 0 if none failed
	ended     error   // why the context ended, if it did
	reason    string  // that it may have failed for
	assumed   string  // what the author took for granted: see [sqltext.Statement.Assumes]
}

// Unwrap lets errors.Is and errors.As find the driver's error, the context's if the context
// has ended, and [ErrBusy] if a statement without a transaction waited too long for the
// locks of others.
func (e *MigrationError) Unwrap() error { return errors.Join(e.Err, e.kind, e.ended) }

func (e *MigrationError) Error() string {
	s := e.DB + ": "
	if e.File != "" {
		s += e.File
		if e.Line > 0 {
			s += ":" + strconv.Itoa(e.Line)
		}
		s += ": "
	}
	if e.ended != nil && sqlite.IsInterrupt(e.Err) {
		s += "interrupted: " + e.ended.Error()
	} else {
		sentence := sqlite.Sentence(e.Err)
		s += sentence + e.Culprits.In(sentence)
		if e.kind == nil {
			s += wording.Though(e.assumed)
		}
	}
	at := e.Version.String()
	switch {
	case e.unstarted:
		s += "; nothing ran, still at " + at
	case e.RolledBack:
		s += "; rolled back, still at " + at
	case e.committed > e.Version:
		s += "; the COMMIT may have taken effect: at " + at + " or " + e.committed.String()
	default:
		s += "; still at " + at
	}
	if n := len(e.Done); n > 0 {
		s += ", but line"
		if n > 1 {
			s += "s"
		}
		s += " " + wording.List(n, ", ", func(i int) string { return strconv.Itoa(e.Done[i]) }) + " took effect"
	}
	if e.Backup != "" {
		s += "; the backup is " + e.Backup
	}
	if e.reason != "" {
		s += "; " + e.reason
	}
	s = wording.Printable(s)
	switch output := wording.PrintableLines(strings.TrimSpace(e.Output)); {
	case strings.Contains(output, "\n"):
		s += ":\n" + output
	case output != "":
		s += ": " + output
	}
	return s
}

// A Violation is the rows of one table whose parent in another does not exist.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
type Violation struct {
	Table    string   `json:"table"`
	Parent   string   `json:"parent"`
	Count    int      `json:"count"`    // that there were not before the upgrade
	Before   int      `json:"before"`   // that there were, and still are
	Rows     []string `json:"rows"`     // the first of Count, by rowid or by primary key
	Mismatch bool     `json:"mismatch"` // the foreign key itself is at fault: its parent has no matching unique key
}

func (v Violation) String() string {
	if v.Mismatch {
		return wording.Printable("table " + v.Table + " references " + v.Parent + ": foreign key mismatch")
	}
	s := "table " + v.Table + ", parent " + v.Parent + ": "
	s += strings.Join(v.Rows, ", ")
	if more := v.Count - len(v.Rows); more > 0 && len(v.Rows) > 0 {
		s += " and " + strconv.Itoa(more) + " more"
	} else if more > 0 {
		s += wording.Count(more, "row")
	}
	if v.Before > 0 {
		s += ", besides " + wording.Count(v.Before, "row") + " from before"
	}
	return wording.Printable(s)
}

func (g *gate) busy(ctx context.Context, waited time.Duration, err error) error {
	fact := "locked by another connection for %v"
	if !sqlite.IsBusy(err) { // the driver was waiting, or so it seems
		fact = "no answer for %v; it may be locked by another connection"
	}
	fact += "; look for another program that has the file open (an older release, a shell, a backup), or for a transaction that this one left open"
	if pool := g.db.Stats(); g.conn.Conn != nil {
		g.conn.readFile(context.WithoutCancel(ctx))
	} else if pool.MaxOpenConnections > 0 && pool.InUse >= pool.MaxOpenConnections {
		fact = "no connection of the pool was free for %v; look for rows or a transaction that this program left open"
	}
	return &Error{Kind: ErrBusy, DB: g.conn.file, Expected: g.schema.Expected, Err: err, ended: ended(ctx),
		Detail: fmt.Sprintf(fact, waited.Round(time.Millisecond))}
}

func (c *conn) interrupted(ctx context.Context, err error) error {
	return &Error{DB: c.file, Expected: c.expected, Detail: "interrupted as it was read", Err: err, ended: ended(ctx)}
}

// ended returns why the context has ended, or nil. Drivers differ in whether they
// say so.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil || cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
