package nulls

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 3

const SchemaSQL = `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, author INTEGER REFERENCES users (id), editor INTEGER NOT NULL REFERENCES users (id), color TEXT, weight REAL NOT NULL DEFAULT 0);
CREATE TABLE counts (note INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, tag TEXT);
CREATE INDEX by_color ON notes (color);
CREATE TRIGGER counted AFTER INSERT ON notes BEGIN INSERT INTO counts VALUES (new.id, 0); END;
`
