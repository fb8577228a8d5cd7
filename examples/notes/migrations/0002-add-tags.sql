-- The tags of a note, separated by commas.
ALTER TABLE notes ADD COLUMN tags TEXT NOT NULL DEFAULT '';
