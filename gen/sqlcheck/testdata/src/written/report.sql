SELECT id
FROM notes;
