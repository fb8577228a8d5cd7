package runtime_test

import (
	"fmt"
	"strings"
	"testing/fstest"
)

// library returns n migrations that leave so many tables. Those beyond the tables
// change what is there, as the later ones of a program do.
func library(n, tables int) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 1; i <= n; i++ {
		table, parent := fmt.Sprintf("t%d", 1+(i-1)%tables), fmt.Sprintf("t%d", max(1, i/2))
		var name, text string
		switch {
		case i <= tables:
			name = "create-" + table
			text = `-- What there is to know of one kind of thing.
CREATE TABLE $T (
	id INTEGER PRIMARY KEY,
	parent INTEGER REFERENCES $P ON DELETE CASCADE,
	title TEXT NOT NULL CHECK (title <> ''),
	author TEXT NOT NULL DEFAULT '',
	price INTEGER NOT NULL DEFAULT 0,
	created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX $T_by_parent ON $T (parent);
INSERT INTO $T (id, parent, title) VALUES (1, 1, 'first'), (2, 1, 'second');
`
		case i%2 == 0:
			name = "index-" + table
			text = `DROP INDEX IF EXISTS $T_by_title;
CREATE INDEX $T_by_title ON $T (title, price);
`
		default:
			name = "correct-" + table
			text = `UPDATE $T SET price = price + 1 WHERE title <> 'first';
INSERT INTO $T (parent, title, author) SELECT 1, 'one more', 'somebody';
`
		}
		text = strings.NewReplacer("$T", table, "$P", parent).Replace(text)
		files[fmt.Sprintf("%04d-%s.sql", i, name)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}
