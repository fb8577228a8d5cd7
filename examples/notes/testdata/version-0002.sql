-- A notebook as the release with version 2 wrote it, printed by .dump.
BEGIN TRANSACTION;
CREATE TABLE _lockstep_history (
	version INTEGER PRIMARY KEY,
	file TEXT NOT NULL,
	checksum TEXT,             -- of the text that ran; NULL when another tool ran it
	applied_at TEXT NOT NULL,  -- UTC, RFC 3339
	duration_ms INTEGER NOT NULL,
	program TEXT NOT NULL,     -- the module and version of the program that ran it
	digest TEXT,               -- the newest row alone: over the checksums up to here
	fingerprint TEXT,          -- the newest row alone: of the schema
	cookie INTEGER             -- the newest row alone: PRAGMA schema_version, when the fingerprint was taken
);
INSERT INTO "_lockstep_history" VALUES(1,'0001-initialize.sql','t1:cdfffa03a6a0a252e3fb6defc82f6124','2023-01-01T12:00:00Z',1,'example.com/notes@v0.2.0',NULL,NULL,NULL);
INSERT INTO "_lockstep_history" VALUES(2,'0002-add-tags.sql','t1:6fded5af33bac763307f9d04d3b05553','2023-01-01T12:00:00Z',1,'example.com/notes@v0.2.0','t1:5a33fe59c63a7caf49adeb798ac07a33','s1:07877af4fcfa06d1eaaebecffc276989',4);
CREATE TABLE _meta (
                            id INTEGER PRIMARY KEY CHECK (id = 1),
                            version INTEGER NOT NULL DEFAULT 0
                        );
INSERT INTO "_meta" VALUES(1,2);
CREATE TABLE notes (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL,
	body TEXT NOT NULL DEFAULT '',
	created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP -- 2024-05-17 09:30:00, in UTC
, tags TEXT NOT NULL DEFAULT '');
INSERT INTO "notes" VALUES(1,'Bread','Flour, water, salt; 18 hours','2023-01-02 03:04:05','Kitchen, weekend');
INSERT INTO "notes" VALUES(2,'','A body without a title','2023-06-07 08:09:10','');
INSERT INTO "notes" VALUES(7,'Crème brûlée','Six yolks','2024-02-29 23:59:59','kitchen,, kitchen ,');
COMMIT;
