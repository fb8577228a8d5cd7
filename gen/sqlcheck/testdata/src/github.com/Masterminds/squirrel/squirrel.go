// Package squirrel has the shapes of the real one.
package squirrel

import "database/sql"

type (
	Sqlizer       interface{ ToSql() (string, []any, error) }
	RowScanner    interface{ Scan(...any) error }
	SelectBuilder struct{}
	InsertBuilder struct{}
	UpdateBuilder struct{}
	DeleteBuilder struct{}
	And           []Sqlizer
	Or            []Sqlizer
	Eq            map[string]any
	Gt            Eq
	Format        int

	StatementBuilderType struct{}
)

const Dollar Format = 1

var StatementBuilder StatementBuilderType

func (And) ToSql() (sql string, args []any, err error)           { return }
func (Or) ToSql() (sql string, args []any, err error)            { return }
func (Eq) ToSql() (sql string, args []any, err error)            { return }
func (Gt) ToSql() (sql string, args []any, err error)            { return }
func (SelectBuilder) ToSql() (sql string, args []any, err error) { return }
func (InsertBuilder) ToSql() (sql string, args []any, err error) { return }
func (UpdateBuilder) ToSql() (sql string, args []any, err error) { return }
func (DeleteBuilder) ToSql() (sql string, args []any, err error) { return }

func Select(...string) (b SelectBuilder)       { return }
func Insert(string) (b InsertBuilder)          { return }
func Update(string) (b UpdateBuilder)          { return }
func Delete(string) (b DeleteBuilder)          { return }
func Expr(sql string, args ...any) (s Sqlizer) { return }

func (b StatementBuilderType) PlaceholderFormat(Format) StatementBuilderType { return b }
func (b StatementBuilderType) RunWith(*sql.DB) StatementBuilderType          { return b }
func (StatementBuilderType) Select(...string) (b SelectBuilder)              { return }
func (StatementBuilderType) Insert(string) (b InsertBuilder)                 { return }

func (b SelectBuilder) RunWith(*sql.DB) SelectBuilder                  { return b }
func (b SelectBuilder) Prefix(string, ...any) SelectBuilder            { return b }
func (b SelectBuilder) Columns(...string) SelectBuilder                { return b }
func (b SelectBuilder) RemoveColumns() SelectBuilder                   { return b }
func (b SelectBuilder) Column(any, ...any) SelectBuilder               { return b }
func (b SelectBuilder) From(string) SelectBuilder                      { return b }
func (b SelectBuilder) FromSelect(SelectBuilder, string) SelectBuilder { return b }
func (b SelectBuilder) LeftJoin(string, ...any) SelectBuilder          { return b }
func (b SelectBuilder) Where(any, ...any) SelectBuilder                { return b }
func (b SelectBuilder) GroupBy(...string) SelectBuilder                { return b }
func (b SelectBuilder) OrderBy(...string) SelectBuilder                { return b }
func (b SelectBuilder) Limit(uint64) SelectBuilder                     { return b }
func (b SelectBuilder) Suffix(string, ...any) SelectBuilder            { return b }
func (SelectBuilder) Query() (r *sql.Rows, err error)                  { return }
func (SelectBuilder) QueryRow() (r RowScanner)                         { return }
func (SelectBuilder) Scan(...any) (err error)                          { return }
func (b InsertBuilder) Options(...string) InsertBuilder                { return b }
func (b InsertBuilder) Columns(...string) InsertBuilder                { return b }
func (b InsertBuilder) Values(...any) InsertBuilder                    { return b }
func (b InsertBuilder) SetMap(map[string]any) InsertBuilder            { return b }
func (b InsertBuilder) Select(SelectBuilder) InsertBuilder             { return b }
func (b InsertBuilder) RunWith(*sql.DB) InsertBuilder                  { return b }
func (InsertBuilder) Exec() (r sql.Result, err error)                  { return }
func (b UpdateBuilder) Set(string, any) UpdateBuilder                  { return b }
func (b UpdateBuilder) SetMap(map[string]any) UpdateBuilder            { return b }
func (b UpdateBuilder) Where(any, ...any) UpdateBuilder                { return b }
func (b DeleteBuilder) Where(any, ...any) DeleteBuilder                { return b }

func (b UpdateBuilder) RunWith(*sql.DB) UpdateBuilder { return b }
func (UpdateBuilder) Exec() (r sql.Result, err error) { return }

func (b SelectBuilder) PrefixExpr(Sqlizer) SelectBuilder { return b }
