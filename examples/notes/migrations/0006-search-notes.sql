-- A full-text index that does not copy the notes. Triggers keep it up to date:
-- https://sqlite.org/fts5.html#external_content_tables
CREATE VIRTUAL TABLE notes_search USING fts5 (
	title,
	body,
	content = 'notes',
	content_rowid = 'id',
	tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER notes_search_insert AFTER INSERT ON notes
BEGIN
	INSERT INTO notes_search (rowid, title, body) VALUES (new.id, new.title, new.body);
END;

CREATE TRIGGER notes_search_delete AFTER DELETE ON notes
BEGIN
	INSERT INTO notes_search (notes_search, rowid, title, body)
	VALUES ('delete', old.id, old.title, old.body);
END;

CREATE TRIGGER notes_search_update AFTER UPDATE OF title, body ON notes
BEGIN
	INSERT INTO notes_search (notes_search, rowid, title, body)
	VALUES ('delete', old.id, old.title, old.body);
	INSERT INTO notes_search (rowid, title, body) VALUES (new.id, new.title, new.body);
END;

-- Index the existing notes.
INSERT INTO notes_search (notes_search) VALUES ('rebuild');
