package sqltext

import (
	"strings"
	"testing"
)

func TestLost(t *testing.T) {
	const was = "CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, " +
		"user INTEGER REFERENCES users, kind TEXT NOT NULL DEFAULT 'note', slug TEXT COLLATE NOCASE UNIQUE, size INT, CHECK (size > 0));\n"
	for _, c := range []struct{ name, is, want string }{
		{"Everything", "CREATE TABLE notes (id, user, kind, slug, size);",
			"NOT NULL of kind; DEFAULT 'note' of kind; COLLATE NOCASE of slug; PRIMARY KEY (id AUTOINCREMENT); UNIQUE (slug); CHECK (size > 0); REFERENCES users of user"},
		{"Nothing", was, ""},
		{"NothingInOtherWords", "CREATE TABLE notes (id INTEGER NOT NULL, user INT, kind TEXT DEFAULT \"note\" NOT NULL, slug TEXT COLLATE nocase, size INT CHECK (0 < size), PRIMARY KEY (id AUTOINCREMENT), FOREIGN KEY (user) REFERENCES users); CREATE UNIQUE INDEX i ON notes (slug);", ""},
		{"NothingOfColumnsThatAreGone", "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT);", ""},
		{"NothingThatIsAnotherNow", "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, user INT REFERENCES users ON DELETE CASCADE, kind TEXT NOT NULL DEFAULT '', slug TEXT COLLATE RTRIM, size INT CHECK (size BETWEEN 1 AND 9), UNIQUE (user, slug));", ""},
		{"Autoincrement", "CREATE TABLE notes (id INTEGER PRIMARY KEY);", "AUTOINCREMENT"},
		{"AUniqueIndexOfSomeRows", "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT COLLATE NOCASE); CREATE UNIQUE INDEX i ON notes (slug) WHERE slug > '';", "UNIQUE (slug)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := ParseSchema(was)
			if err != nil {
				t.Fatal(err)
			}
			after, err := ParseSchema("CREATE TABLE users (id INTEGER PRIMARY KEY);" + c.is)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Lost("notes", before, after), "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTriggerEvent(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TRIGGER t AFTER UPDATE OF a, \"b c\" ON x BEGIN UPDATE y SET z = 1; END":         "UPDATE a, b c",
		"CREATE TRIGGER t AFTER UPDATE ON x BEGIN SELECT 1; END":                                 "UPDATE ",
		"CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END":                                 "INSERT ",
		"create temp trigger if not exists main.\"update\" delete on x begin insert into y; end": "DELETE ",
		"CREATE TRIGGER t INSTEAD OF INSERT ON x BEGIN SELECT 1; END":                            "INSERT ",
	} {
		event, columns := TriggerEvent(sql)
		if got := event + " " + strings.Join(columns, ", "); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}
