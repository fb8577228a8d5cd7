package migrations

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 7

const SchemaSQL = `CREATE TABLE notes (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL UNIQUE,
	body TEXT NOT NULL DEFAULT '',
	author INTEGER REFERENCES users (id),
	words INTEGER AS (length(body)) STORED
) STRICT;
CREATE INDEX notes_by_host ON notes (hostname(body));

CREATE TABLE lenient (
	id INTEGER PRIMARY KEY,
	a TEXT NOT NULL ON CONFLICT IGNORE
);

CREATE TABLE parcels (
	id INTEGER PRIMARY KEY,
	address TEXT NOT NULL CHECK (address <> ''),
	weight REAL NOT NULL CHECK (weight BETWEEN 0 AND 30 AND weight > id),
	kind TEXT NOT NULL CHECK (kind IN ('letter', 'box', 'pallet')) REFERENCES notes (title)
);

CREATE TABLE pictures (
	id INTEGER PRIMARY KEY,
	name TEXT
);
CREATE TRIGGER pictures_vector AFTER INSERT ON pictures
BEGIN
	INSERT INTO vectors (embedding) VALUES (embed(new.name));
END;

CREATE VIRTUAL TABLE search USING fts5 (title, body);

CREATE TABLE tags (
	note INTEGER NOT NULL,
	tag TEXT NOT NULL COLLATE german,
	PRIMARY KEY (note, tag)
) WITHOUT ROWID;
CREATE TRIGGER tags_note AFTER INSERT ON tags
BEGIN
	INSERT OR IGNORE INTO notes (id, title) VALUES (new.note, 'untitled');
END;

CREATE TABLE users (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE VIRTUAL TABLE vectors USING vec0 (embedding);

CREATE VIEW authors AS SELECT name FROM users WHERE id IN (SELECT author FROM notes);
`
