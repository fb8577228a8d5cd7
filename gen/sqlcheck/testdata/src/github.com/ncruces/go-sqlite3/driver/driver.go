package driver

import (
	_ "database/sql"

	_ "github.com/ncruces/go-sqlite3"
)
