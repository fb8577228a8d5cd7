-- Add times of changes and of archiving, and require a title. Times become seconds
-- since 1970, and the table becomes strict: what a program wrote as bytes becomes text.
--
-- ALTER TABLE cannot do this. These are the steps of SQLite's recipe for such changes:
-- https://sqlite.org/lang_altertable.html#otheralter
PRAGMA foreign_keys = OFF; -- or DROP TABLE would empty note_tags
BEGIN;

CREATE TABLE new_notes (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL CHECK (title <> ''),
	body TEXT NOT NULL DEFAULT '',
	created_at INTEGER NOT NULL DEFAULT (unixepoch()),
	updated_at INTEGER NOT NULL DEFAULT (unixepoch()),
	archived_at INTEGER
) STRICT;

INSERT INTO new_notes (id, title, body, created_at, updated_at)
SELECT id, CASE title WHEN '' THEN 'Untitled' ELSE title END, body, time, time
FROM (
	SELECT id, CAST(title AS TEXT) AS title, CAST(body AS TEXT) AS body,
		coalesce(unixepoch(created_at), unixepoch()) AS time
	FROM notes
);

DROP TABLE notes;
ALTER TABLE new_notes RENAME TO notes;
CREATE INDEX notes_by_time ON notes (updated_at);

PRAGMA foreign_key_check;
COMMIT;
PRAGMA foreign_keys = ON;
