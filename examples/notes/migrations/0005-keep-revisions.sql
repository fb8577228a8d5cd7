-- Earlier texts of notes.
CREATE TABLE revisions (
	id INTEGER PRIMARY KEY,
	note_id INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
	title TEXT NOT NULL,
	body TEXT NOT NULL,
	saved_at INTEGER NOT NULL
) STRICT;

CREATE INDEX revisions_by_note ON revisions (note_id, saved_at);

CREATE TRIGGER notes_keep_revision AFTER UPDATE OF title, body ON notes
WHEN old.title <> new.title OR old.body <> new.body
BEGIN
	INSERT INTO revisions (note_id, title, body, saved_at)
	VALUES (old.id, old.title, old.body, old.updated_at);
	UPDATE notes SET updated_at = unixepoch() WHERE id = new.id;
END;
