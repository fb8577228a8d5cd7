package gohost

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
)

// protocol is the number of this form of message. Parent and child are of the same
// release where the go command starts both, and need not be elsewhere.
const protocol = 1

// A message is what goes through the pipes, in package gob's encoding: one struct
// for all, because gob does not send what is zero.
type message struct {
	Kind kind
	Call int // the number of the run that it is about
	ID   int // the number of the request

	// Of hello.
	Protocol int
	PID      int
	Versions []int

	// Of run.
	Version  int
	Deadline time.Time

	// Of requests.
	Query  string
	Args   []value
	Handle int // of a prepared statement or of rows
	Line   int // of the migration's file
	N      int // how many rows at most

	// Of answers.
	Columns      []string
	Types        []columnType
	Rows         [][]value
	End          bool // no more rows
	LastInsertID int64
	RowsAffected int64
	Err          *wireError
}

type kind int

const (
	hello  kind = iota + 1 // child: is ready
	run                    // parent: run the migration of a version
	done                   // child: it has
	cancel                 // either: the context of the run, or of the request, has ended
	answer                 // parent: to a request
	// Requests of the child.
	execute
	query
	prepare
	execPrepared
	queryPrepared
	next
	columnTypes
	closeRows
	closeStmt
)

// A value is one that package database/sql hands to a driver, or gets from it.
type value struct {
	Kind    valueKind
	Name    string // of an argument
	Int     int64
	Float   float64
	Text    string
	Blob    []byte
	Instant *time.Time
}

type valueKind uint8

const (
	null valueKind = iota
	integer
	float
	boolean
	text
	blob
	instant
)

func valueOf(v any) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{}, nil
	case int64:
		return value{Kind: integer, Int: v}, nil
	case float64:
		return value{Kind: float, Float: v}, nil
	case bool:
		b := value{Kind: boolean}
		if v {
			b.Int = 1
		}
		return b, nil
	case string:
		return value{Kind: text, Text: v}, nil
	case []byte:
		if v == nil {
			return value{}, nil
		}
		return value{Kind: blob, Blob: v}, nil
	case time.Time:
		return value{Kind: instant, Instant: &v}, nil
	}
	return value{}, fmt.Errorf("a value of type %T cannot be handed to the replay of migrations", v)
}

func (v value) get() driver.Value {
	switch v.Kind {
	case integer:
		return v.Int
	case float:
		return v.Float
	case boolean:
		return v.Int != 0
	case text:
		return v.Text
	case blob:
		if v.Blob == nil {
			return []byte{} // gob does not tell them apart
		}
		return v.Blob
	case instant:
		return *v.Instant
	}
	return nil
}

// size is about how many bytes the value takes.
func (v value) size() int { return 16 + len(v.Text) + len(v.Blob) }

func argsOf(named []driver.NamedValue) ([]value, error) {
	args := make([]value, len(named))
	for i, arg := range named {
		v, err := valueOf(arg.Value)
		if err != nil {
			return nil, err
		}
		v.Name = arg.Name
		args[i] = v
	}
	return args, nil
}

// arguments are args as ExecContext takes them.
func arguments(args []value) []any {
	anys := make([]any, len(args))
	for i, arg := range args {
		anys[i] = arg.get()
		if arg.Name != "" {
			anys[i] = sql.Named(arg.Name, anys[i])
		}
	}
	return anys
}

// A columnType is what the driver knows of a result's column.
type columnType struct {
	Database           string
	Nullable, Declared bool
	Scan               string
}

func scanType(name string) reflect.Type {
	switch name {
	case "int64":
		return reflect.TypeFor[int64]()
	case "float64":
		return reflect.TypeFor[float64]()
	case "bool":
		return reflect.TypeFor[bool]()
	case "string":
		return reflect.TypeFor[string]()
	case "[]uint8":
		return reflect.TypeFor[[]byte]()
	case "time.Time":
		return reflect.TypeFor[time.Time]()
	}
	return reflect.TypeFor[any]()
}

// A wireError is an error on its way.
type wireError struct {
	Text    string
	Code    int // SQLite's extended result code, or 0
	Context int // 1: the context was cancelled; 2: its deadline is past
	Ref     int // by which the parent finds the error that it is about, or 0
	Line    int // of the migration's file where it came from, or 0
}
