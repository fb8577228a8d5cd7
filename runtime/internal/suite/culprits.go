package suite

import (
	"errors"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// staff has rows that constraints of a later migration do not allow.
const staff = `
-- 0001-staff.sql --
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, mail TEXT COLLATE NOCASE, age INTEGER, boss TEXT);
INSERT INTO staff VALUES
	(4, 'Ann', 'a@x', 30, NULL), (9, 'Ann', 'A@x', 17, 'Bob'), (10, 'Bob', NULL, NULL, 'bob'), (11, 'bob', NULL, 16, 'x'),
	(12, 'Cid', 'c@x', 15, NULL), (13, 'Cid', 'C@X', 14, NULL), (14, 'Cid', 'd@x', 50, '7'), (20, '', 'e@x', 60, '1e2');
CREATE TABLE pairs (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO pairs VALUES ('it''s', 1, 'x'), ('it''s', 2, 'x'), ('z', 3, NULL);
CREATE TABLE blobs (rowid TEXT, v);
INSERT INTO blobs VALUES ('a', 1), ('b', 'two'), ('c', x'03'), ('d', 4.5), ('e', ' 5 '), ('f', NULL), ('g', '6.0');
`

func namesCulprits(t *test) {
	const (
		newStaff = "CREATE TABLE staff_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT, age INTEGER CHECK (age >= 18), CONSTRAINT named CHECK (name <> ''));\n"
		strict   = "CREATE TABLE strict (rowid TEXT, n INTEGER, r REAL, t TEXT, b BLOB) STRICT;\n"
	)
	for _, c := range []struct{ name, statements, want string }{
		{"OfAUniqueIndex", "CREATE UNIQUE INDEX one ON staff (name);", "UNIQUE constraint failed: staff.name: rowid 4 and 9, rowid 12 and 13, rowid 12 and 14"},
		{"AndHowManyMore", "CREATE UNIQUE INDEX one ON staff (lower(name));", "UNIQUE constraint failed: index 'one': rowid 4 and 9, rowid 10 and 11, rowid 12 and 13 of staff (and 1 more pair)"},
		{"OfACollation", `CREATE UNIQUE INDEX IF NOT EXISTS "main".one ON "Staff" ("mail" DESC);`, "UNIQUE constraint failed: staff.mail: rowid 4 and 9, rowid 12 and 13"},
		{"OfAnotherCollation", "CREATE UNIQUE INDEX one ON staff (name COLLATE NOCASE ASC, id > 9) WHERE name LIKE 'b%';", "UNIQUE constraint failed: index 'one': rowid 10 and 11 of staff"},
		{"OfAPartialIndex", "CREATE UNIQUE INDEX one ON staff (name) WHERE age < 18 AND mail IS NOT NULL;", "UNIQUE constraint failed: staff.name: rowid 12 and 13"},
		{"ByPrimaryKey", "CREATE UNIQUE INDEX one ON pairs (a);", "UNIQUE constraint failed: pairs.a: key ('it''s', 1) and ('it''s', 2)"},
		{"ByAnotherNameOfTheRowid", "UPDATE blobs SET v = v; CREATE UNIQUE INDEX one ON blobs (v > 'a');", "UNIQUE constraint failed: index 'one': rowid 2 and 3, rowid 1 and 4, rowid 1 and 5 of blobs (and 1 more pair)"},
		{"OfACopyWithNULL", newStaff + "INSERT INTO staff_new SELECT id, mail, mail, 18 FROM staff AS s ORDER BY id;", "NOT NULL constraint failed: staff_new.name: rowid 10, rowid 11 of staff"},
		{"OfACopyWithACheck", newStaff + "INSERT INTO staff_new (id, name, age) SELECT s.id, s.name, age FROM main.staff s WHERE s.name <> '';", "CHECK constraint failed: age >= 18: rowid 9, rowid 11, rowid 12 of staff (and 1 more row)"},
		{"OfACopyWithANamedCheck", newStaff + "INSERT INTO staff_new (name, id) SELECT trim(name), id FROM staff RETURNING id;", "CHECK constraint failed: named: rowid 20 of staff"},
		{"OfACopyWithAUniqueKey", "CREATE TABLE names (name TEXT PRIMARY KEY);\nINSERT INTO names SELECT name FROM staff WHERE id < 12;", "UNIQUE constraint failed: names.name: rowid 4 and 9 of staff"},
		{"OfACopyWithACollatedKey", "CREATE TABLE names (name TEXT COLLATE NOCASE UNIQUE);\nINSERT INTO names SELECT name FROM staff WHERE id BETWEEN 10 AND 11;", "UNIQUE constraint failed: names.name: rowid 10 and 11 of staff"},
		{"OfACopyWithAKeyThatConverts", "CREATE TABLE n (n INTEGER PRIMARY KEY);\nINSERT INTO n SELECT CASE id WHEN 10 THEN 4.0 WHEN 11 THEN '4' ELSE id END FROM staff;", "UNIQUE constraint failed: n.n: rowid 4 and 10, rowid 4 and 11 of staff"},
		{"OfACopyWithAnIndexOfAnExpression", "CREATE TABLE names (name TEXT);\nCREATE UNIQUE INDEX i ON names (upper(name));\nINSERT INTO names SELECT name FROM staff WHERE id BETWEEN 10 AND 11;", "UNIQUE constraint failed: index 'i': rowid 10 and 11 of staff"},
		{"OfACopyBesideOthers", "CREATE TABLE names (name TEXT UNIQUE);\nINSERT INTO names VALUES ('Zoe'), ('Bob');\nINSERT INTO names SELECT name FROM staff WHERE id IN (9, 10);", "UNIQUE constraint failed: names.name: rowid 2 of names and rowid 10 of staff"},
		{"OfAnUpdateWithNULL", "UPDATE pairs SET a = nullif(b, 2) || a;", "NOT NULL constraint failed: pairs.a: key ('it''s', 2)"},
		{"OfAnUpdateWithACheck", "CREATE TABLE n (a INT CHECK (a + b < 10), b INT);\nINSERT INTO n VALUES (1, 1), (2, 7), (3, 3);\nUPDATE n AS m SET a = m.b + 1, b = b * 1 WHERE a < 3;", "CHECK constraint failed: a + b < 10: rowid 2 of n as the upgrade left it"},
		{"OfAnUpdateWithAUniqueKey", "UPDATE pairs SET a = 'z', b = 3 WHERE b < 3;", "UNIQUE constraint failed: pairs.a, pairs.b: key ('z', 3) and ('it''s', 1), key ('z', 3) and ('it''s', 2)"},
		{"OfAQuotedCheck", "CREATE TABLE n (\"kind\" TEXT CHECK (\"kind\" IN ('a', 'Ann')));\nINSERT INTO n SELECT name FROM staff WHERE id < 11;", "CHECK constraint failed: kind: rowid 10 of staff"},
		{"OfACheckOfTypes", "CREATE TABLE n (v INTEGER CHECK (typeof(v) IN ('integer', 'null')));\nINSERT INTO n SELECT v FROM blobs;", "CHECK constraint failed: typeof(v) IN ('integer', 'null'): rowid 2, rowid 3, rowid 4 of blobs"},
		{"OfAStrictInteger", strict + "INSERT INTO strict (n) SELECT v FROM blobs WHERE rowid > 'a';", "cannot store TEXT value in INTEGER column strict.n: rowid 2, rowid 3, rowid 4 of blobs"},
		{"OfAStrictReal", strict + "INSERT INTO strict (r) SELECT v FROM blobs;", "cannot store TEXT value in REAL column strict.r: rowid 2, rowid 3 of blobs"},
		{"OfAStrictText", strict + "INSERT INTO strict (t) SELECT v FROM blobs;", "cannot store BLOB value in TEXT column strict.t: rowid 3 of blobs"},
		{"OfAStrictBlob", strict + "INSERT INTO strict (b) SELECT v FROM blobs;", "cannot store INT value in BLOB column strict.b: rowid 1, rowid 2, rowid 4 of blobs (and 2 more rows)"},
		{"OfARowidThatIsNone", "CREATE TABLE n (id INTEGER PRIMARY KEY);\nINSERT INTO n SELECT v FROM blobs;", "datatype mismatch: rowid 2, rowid 3, rowid 4 of blobs"},
		{"OfABackfillThatCannotBeComputed", "CREATE INDEX i ON staff (name, id);\nUPDATE staff SET boss = json_extract(CASE WHEN id < 10 THEN '{}' ELSE name END, '$.a');", "malformed JSON: rowid 10 of staff"},
		{"OfANewColumn", "ALTER TABLE staff ADD COLUMN grade TEXT NOT NULL DEFAULT 'x' CHECK (grade > name) CONSTRAINT adult CHECK (age >= 18 OR grade = 'y');", "CHECK constraint failed: rowid 9, rowid 11, rowid 12 of staff (and 1 more row)"},
		{"OfANewColumnWithoutADefault", "ALTER TABLE main.pairs ADD COLUMN d CHECK (d IS NOT NULL OR b < 3);", "CHECK constraint failed: key ('z', 3) of pairs"},
		{"OfATableThatWasRebuilt", "CREATE TABLE s (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO s SELECT id + 100, name FROM staff;\nDROP TABLE staff;\nALTER TABLE s RENAME TO staff;\nCREATE UNIQUE INDEX one ON staff (name) WHERE id < 110;", "UNIQUE constraint failed: staff.name: rowid 104 and 109 of staff as the upgrade left it"},
	} {
		t.claim("NamesTheRows"+c.name, func(t *test) {
			t.migrate(staff)
			s := t.broken(staff, c.statements)
			before := t.state()
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), s)
			e := (*lockstep.MigrationError)(nil)
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			_, got, _ := strings.Cut(strings.TrimSuffix(err.Error(), "; rolled back, still at 0001"), "0002-next.sql:")
			_, got, _ = strings.Cut(got, ": ")
			t.same("error", got, c.want)
			t.same("state", t.state(), before)
		})
	}
}

func namesNoCulprits(t *test) {
	for _, c := range []struct{ name, statements, want string }{
		{"OfAnAggregate", "CREATE TABLE n (n NOT NULL);\nINSERT INTO n SELECT max(boss) FROM staff WHERE boss IS NULL;", "NOT NULL constraint failed: n.n"},
		{"OfAGroup", "CREATE TABLE n (n NOT NULL);\nINSERT INTO n SELECT mail FROM staff GROUP BY mail;", "NOT NULL constraint failed: n.n"},
		{"OfAJoin", "CREATE TABLE n (n UNIQUE);\nINSERT INTO n SELECT s.name FROM staff AS s JOIN pairs;", "UNIQUE constraint failed: n.n"},
		{"OfATableBehindATrigger", "CREATE TABLE n (n NOT NULL);\nCREATE TRIGGER t BEFORE INSERT ON n WHEN new.n IS NULL BEGIN SELECT RAISE(IGNORE); END;\nINSERT INTO n SELECT mail FROM staff;\nCREATE TRIGGER u AFTER INSERT ON n BEGIN UPDATE n SET n = NULL; END;\nINSERT INTO n SELECT name FROM staff;", "NOT NULL constraint failed: n.n"},
		{"OfATransactionThatEnded", "CREATE TABLE n (n UNIQUE ON CONFLICT ROLLBACK);\nINSERT INTO n SELECT name FROM staff;", "UNIQUE constraint failed: n.n"},
		{"OfAnUpdateInBetween", "UPDATE staff SET id = id + 1 WHERE id BETWEEN 12 AND 14;", "UNIQUE constraint failed: staff.id"},
		{"OfAnUpdateThatReadsWhatItWrites", "CREATE TABLE n (n UNIQUE, m);\nINSERT INTO n VALUES (1, 0), (2, 0), (3, 4);\nUPDATE n SET n = (SELECT max(n) + 1 FROM n AS o WHERE o.n < n.n + 2 - n.m) WHERE n < 3 OR n IS NULL;", "UNIQUE constraint failed: n.n"},
		{"OfChance", "CREATE TABLE n (n CHECK (n = 7));\nINSERT INTO n SELECT random() FROM staff;", "CHECK constraint failed: n = 7"},
		{"OfAnUpdateThatIsWrong", "UPDATE staff SET nosuch = 1;", "no such column: nosuch"},
		{"OfANewColumnThatIsConverted", "ALTER TABLE staff ADD COLUMN grade INTEGER DEFAULT '5' CHECK (grade > age);", "CHECK constraint failed"},
		{"OfANewColumnWithACollation", "ALTER TABLE staff ADD COLUMN grade TEXT COLLATE NOCASE DEFAULT 'bob' CHECK (grade <> name);", "CHECK constraint failed"},
		{"OfAWrongStatement", "CREATE UNIQUE INDEX one ON staff (nosuch);", "no such column: nosuch"},
	} {
		t.claim("NamesNoRows"+c.name, func(t *test) {
			t.migrate(staff)
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.broken(staff, c.statements))
			_, got, _ := strings.Cut(strings.TrimSuffix(err.Error(), "; rolled back, still at 0001"), "0002-next.sql:")
			_, got, _ = strings.Cut(got, ": ")
			t.same("error", got, c.want)
		})
	}
}
