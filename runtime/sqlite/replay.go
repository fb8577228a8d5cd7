package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Replay returns the schema that those of the statements make in an empty database in memory
// that are about the schema. Others could write files.
func Replay(ctx context.Context, d driver.Driver, statements []sqltext.Statement) ([]sqltext.Object, error) {
	db := sql.OpenDB(memory{d})
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, s := range statements {
		if _, ok := s.Definition(); !ok && s.Pragma() != "legacy_alter_table" {
			continue
		}
		if _, err := conn.ExecContext(ctx, s.SQL); err != nil {
			return nil, err
		}
	}
	return Objects(ctx, conn)
}

// memory is a driver.Connector.
type memory struct{ driver driver.Driver }

func (m memory) Connect(context.Context) (driver.Conn, error) { return m.driver.Open(":memory:") }
func (m memory) Driver() driver.Driver                        { return m.driver }
