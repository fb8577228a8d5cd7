-- Finding the notes with a tag meant reading every note. Move tags from a column with
-- commas to a table of their own.
CREATE TABLE note_tags (
	note_id INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
	tag TEXT NOT NULL COLLATE NOCASE CHECK (tag <> ''),
	PRIMARY KEY (note_id, tag)
) WITHOUT ROWID;

CREATE INDEX note_tags_by_tag ON note_tags (tag);

-- Each step takes the text before the first comma. OR IGNORE drops duplicates, as in
-- "Go, go".
INSERT OR IGNORE INTO note_tags (note_id, tag)
WITH RECURSIVE split (note_id, tag, rest) AS (
	SELECT id, '', tags || ',' FROM notes
	UNION ALL
	SELECT note_id, trim(substr(rest, 1, instr(rest, ',') - 1)), substr(rest, instr(rest, ',') + 1)
	FROM split
	WHERE rest <> ''
)
SELECT note_id, tag FROM split WHERE tag <> '';

ALTER TABLE notes DROP COLUMN tags;
