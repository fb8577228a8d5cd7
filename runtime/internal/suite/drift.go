package suite

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// drifts are what people do to a database without the program's knowledge.
var drifts = `
-- 0001-shop.sql --
CREATE TABLE customers (
	id INTEGER PRIMARY KEY,
	email TEXT NOT NULL UNIQUE COLLATE NOCASE,
	age INTEGER CHECK (age > 0)
);
CREATE TABLE orders (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	customer INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	total REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX orders_by_customer ON orders (customer) WHERE total > 0;
CREATE TRIGGER no_free_orders AFTER INSERT ON orders WHEN new.total = 0 BEGIN DELETE FROM orders WHERE id = new.id; END;
CREATE VIEW big AS SELECT * FROM orders WHERE total > 100;
`

func drift(t *test) {
	for _, c := range []struct {
		name string
		do   []string
		want string
	}{
		{"NamesLostTable", []string{"DROP VIEW big", "DROP TABLE orders"},
			"table orders: missing; index orders_by_customer: missing; trigger no_free_orders: missing; view big: missing"},
		{"NamesLostColumn", []string{"ALTER TABLE customers DROP COLUMN age"},
			"table customers: column age: missing; want CHECK (age > 0), found none"},
		{"NamesAddedColumn", []string{"ALTER TABLE customers ADD COLUMN phone TEXT"},
			"table customers: column phone: not expected"},
		{"NamesRenamedColumn", []string{"ALTER TABLE customers RENAME COLUMN age TO years"},
			"table customers: column age: missing; column years: not expected; want CHECK (age > 0), found CHECK (years > 0)"},
		{"NamesLostIndex", []string{"DROP INDEX orders_by_customer"},
			"index orders_by_customer: missing"},
		{"NamesChangedIndex", []string{"DROP INDEX orders_by_customer", "CREATE INDEX orders_by_customer ON orders (customer)"},
			"index orders_by_customer: want ON orders (customer) WHERE total > 0, found ON orders (customer)"},
		{"NamesLostTrigger", []string{"DROP TRIGGER no_free_orders"},
			"trigger no_free_orders: missing"},
		{"NamesChangedTrigger", []string{"DROP TRIGGER no_free_orders",
			"CREATE TRIGGER no_free_orders AFTER INSERT ON orders BEGIN DELETE FROM orders WHERE id = new.id; END"},
			"trigger no_free_orders: want AFTER INSERT ON orders WHEN new.total = 0 BEGIN DELETE FROM orders WHERE id = new.id; END, found AFTER INSERT ON orders BEGIN DELETE FROM orders WHERE id = new.id; END"},
		{"NamesChangedView", []string{"DROP VIEW big", "CREATE VIEW big AS SELECT * FROM orders WHERE total > 1000"},
			"view big: want SELECT * FROM orders WHERE total > 100, found SELECT * FROM orders WHERE total > 1000"},
		{"NamesChangedCheck", rebuilt("id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, age INTEGER CHECK (age >= 0)"),
			"table customers: want CHECK (age > 0), found CHECK (age >= 0)"},
		{"NamesLostCheck", rebuilt("id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, age INTEGER"),
			"table customers: want CHECK (age > 0), found none"},
		{"NamesLostUnique", rebuilt("id INTEGER PRIMARY KEY, email TEXT NOT NULL COLLATE NOCASE, age INTEGER CHECK (age > 0)"),
			"table customers: want UNIQUE (email), found none"},
		{"NamesLostCollation", rebuilt("id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, age INTEGER CHECK (age > 0)"),
			"table customers: column email: want TEXT NOT NULL COLLATE NOCASE, found TEXT NOT NULL"},
		{"NamesChangedOrder", rebuilt("id INTEGER PRIMARY KEY, age INTEGER CHECK (age > 0), email TEXT NOT NULL UNIQUE COLLATE NOCASE"),
			"table customers: columns: want id, email, age, found id, age, email"},
	} {
		t.claim(c.name, func(t *test) {
			t.migrate(drifts)
			t.exec(c.do...)
			t.refuses(t.schema(drifts), lockstep.ErrDrift, "data.db: at version 0001, but its tables differ: "+c.want+"; to start anyway, allow d1:…")
		})
	}
}

// acceptsRewordings starts with tables that mean the same as those of the migrations, and
// refuses those that only look like them.
func acceptsRewordings(t *test) {
	const columns = "id INTEGER PRIMARY KEY, kind TEXT NOT NULL DEFAULT 'note' CHECK (kind <> 'draft'), owner INTEGER REFERENCES owners, done INTEGER NOT NULL DEFAULT 1, share DEFAULT 0.5"
	archive := "-- 0001-items.sql --\nCREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT UNIQUE);\nCREATE TABLE items (" + columns + ");\n"
	words := func(t *test, old, new string) {
		t.migrate(archive)
		reworded := strings.ReplaceAll("CREATE TABLE items ("+strings.Replace(columns, old, new, 1)+")", "'", "''")
		t.exec("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = '"+reworded+"' WHERE name = 'items'", "PRAGMA schema_version = 1000", "PRAGMA writable_schema = OFF")
	}
	for _, c := range [][2]string{
		{"id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY NOT NULL"},
		{"id INTEGER PRIMARY KEY", `"id" integer CONSTRAINT pk PRIMARY KEY ASC`},
		{"DEFAULT 'note'", `DEFAULT "note"`},
		{"DEFAULT 'note'", "DEFAULT ('note')"},
		{"kind <> 'draft'", `kind <> "draft"`},
		{"kind <> 'draft'", "items.kind != 'draft'"},
		{"kind <> 'draft'", "NOT ((kind) = 'draft')"},
		{"REFERENCES owners", "REFERENCES owners (id) ON DELETE NO ACTION"},
		{"REFERENCES owners", `REFERENCES "Owners" NOT DEFERRABLE`},
		{"DEFAULT 1", "DEFAULT true"},
		{"DEFAULT 1", "DEFAULT (+0x1)"},
		{"DEFAULT 1", "DEFAULT '1'"},
		{"DEFAULT 0.5", "DEFAULT .5"},
		{"DEFAULT 0.5", "DEFAULT +5.0e-1"},
	} {
		t.claim("Accepts/"+c[1], func(t *test) {
			words(t, c[0], c[1])
			t.accepts(t.schema(archive))
		})
	}
	for _, c := range [][3]string{
		{"id INTEGER", "id INT", "column id: want INTEGER, found INT"},
		{"DEFAULT 0.5", "DEFAULT '0.5'", "column share: want DEFAULT 0.5, found DEFAULT '0.5'"},
		{"kind <> 'draft'", `kind <> "owner"`, `want CHECK (kind <> 'draft'), found CHECK (kind <> "owner")`},
		{"REFERENCES owners", "REFERENCES owners (name)", "want FOREIGN KEY (owner) REFERENCES owners, found FOREIGN KEY (owner) REFERENCES owners (name)"},
	} {
		t.claim("Refuses/"+c[1], func(t *test) {
			words(t, c[0], c[1])
			t.refuses(t.schema(archive), lockstep.ErrDrift, "data.db: at version 0001, but its tables differ: table items: "+c[2]+"; to start anyway, allow d1:…")
		})
	}
}

// rebuilt returns statements that give the table customers other columns.
func rebuilt(columns string) []string {
	return []string{"PRAGMA legacy_alter_table = ON", "DROP TABLE customers", "CREATE TABLE customers (" + columns + ")"}
}
