package suite

import "github.com/lockstep-db/lockstep/runtime"

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

// rebuilt returns statements that give the table customers other columns.
func rebuilt(columns string) []string {
	return []string{"PRAGMA legacy_alter_table = ON", "DROP TABLE customers", "CREATE TABLE customers (" + columns + ")"}
}
