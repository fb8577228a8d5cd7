-- A notebook as the release with version 2 left it.
CREATE TABLE _meta (
                            id INTEGER PRIMARY KEY CHECK (id = 1),
                            version INTEGER NOT NULL DEFAULT 0
                        );
INSERT INTO _meta VALUES (1, 2);
CREATE TABLE notes (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL,
	body TEXT NOT NULL DEFAULT '',
	created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP -- 2024-05-17 09:30:00, in UTC
, tags TEXT NOT NULL DEFAULT '');
INSERT INTO notes VALUES (1, 'Bread', 'Flour, water, salt; 18 hours', '2023-01-02 03:04:05', 'Kitchen, weekend');
INSERT INTO notes VALUES (2, '', 'A body without a title', '2023-06-07 08:09:10', '');
INSERT INTO notes VALUES (7, 'Crème brûlée', 'Six yolks', '2024-02-29 23:59:59', 'kitchen,, kitchen ,');
