DELETE FROM tags WHERE tag = ';';
DELETE FROM users; -- and that is all
