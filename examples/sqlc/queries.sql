-- name: CreateNote :one
INSERT INTO notes (title) VALUES (?) RETURNING id;

-- name: ListNotes :many
SELECT * FROM notes ORDER BY id;

-- name: AddTag :exec
INSERT INTO tags (note, tag) VALUES (?, ?);

-- name: CountTags :one
SELECT count(*) FROM tags;
