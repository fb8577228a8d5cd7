//go:build cgo

package peers

import (
	"io"
	"net/url"

	"github.com/amacneil/dbmate/v2/pkg/dbmate"
	_ "github.com/amacneil/dbmate/v2/pkg/driver/sqlite"
)

func init() {
	tools = append(tools, tool{"dbmate", []file{
		{"10_init.sql", "-- migrate:up\n" + tables + trigger + "\n-- migrate:down\nDROP TABLE notes;\n"},
		{"20240101_index.sql", "-- migrate:up transaction:false\n" + index + "-- migrate:down\n"},
		{"9_rebuild.sql", "-- migrate:up\n" + rebuild + "-- migrate:down\n"},
	}, func(dir, db string) error {
		m := dbmate.New(&url.URL{Scheme: "sqlite", Path: db})
		m.MigrationsDir, m.AutoDumpSchema, m.Log = []string{dir}, false, io.Discard
		return m.CreateAndMigrate()
	}, "0001-init.sql 0002-index.sql 0003-rebuild.sql"})
}
