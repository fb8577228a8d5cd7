-- The tags in use, for the sidebar of every page.
CREATE VIEW tag_counts AS
SELECT tag, count(*) AS notes
FROM note_tags JOIN notes ON notes.id = note_tags.note_id
WHERE notes.archived_at IS NULL
GROUP BY tag;
