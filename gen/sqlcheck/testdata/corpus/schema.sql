-- The database of a library that also sells.
CREATE TABLE members (
	id INTEGER PRIMARY KEY,
	email TEXT NOT NULL COLLATE NOCASE UNIQUE,
	full_name TEXT NOT NULL CHECK (full_name <> ''),
	joined_on TEXT NOT NULL DEFAULT (date('now')),
	blocked INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1)),
	invited_by INTEGER REFERENCES members (id) ON DELETE SET NULL,
	settings TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings))
);
CREATE UNIQUE INDEX members_active_name ON members (full_name) WHERE blocked = 0;
CREATE INDEX members_theme ON members (settings ->> '$.theme');

CREATE TABLE authors (
	author_id INTEGER PRIMARY KEY AUTOINCREMENT,
	family_name TEXT NOT NULL,
	given_name TEXT,
	born INTEGER,
	display_name TEXT GENERATED ALWAYS AS (coalesce(given_name || ' ', '') || family_name) STORED
);

CREATE TABLE books (
	book_id INTEGER PRIMARY KEY,
	isbn TEXT UNIQUE,
	title TEXT NOT NULL,
	subtitle TEXT,
	category_id INTEGER REFERENCES categories (category_id),
	published INTEGER CHECK (published > 1400),
	price_cents INTEGER NOT NULL DEFAULT 0,
	vat_percent INTEGER NOT NULL DEFAULT 7,
	gross_cents INTEGER AS (price_cents * (100 + vat_percent) / 100) VIRTUAL,
	attributes TEXT
) STRICT;
CREATE INDEX books_by_title ON books (title COLLATE NOCASE, published DESC);

CREATE TABLE book_authors (
	book_ref INTEGER NOT NULL REFERENCES books (book_id) ON DELETE CASCADE,
	author_ref INTEGER NOT NULL REFERENCES authors (author_id),
	position INTEGER NOT NULL DEFAULT 1,
	PRIMARY KEY (book_ref, author_ref)
) WITHOUT ROWID;

CREATE TABLE categories (
	category_id INTEGER PRIMARY KEY,
	parent_id INTEGER REFERENCES categories (category_id),
	label TEXT NOT NULL,
	sort_key REAL NOT NULL DEFAULT 0.0,
	UNIQUE (parent_id, label)
);

CREATE TABLE copies (
	barcode TEXT PRIMARY KEY,
	copy_of INTEGER NOT NULL REFERENCES books (book_id),
	shelf TEXT NOT NULL,
	condition TEXT NOT NULL DEFAULT 'good' CHECK (condition IN ('new', 'good', 'worn', 'lost')),
	acquired TEXT
) WITHOUT ROWID;

CREATE TABLE loans (
	loan_id INTEGER PRIMARY KEY,
	copy_barcode TEXT NOT NULL REFERENCES copies (barcode),
	borrower INTEGER NOT NULL REFERENCES members (id),
	lent_at INTEGER NOT NULL DEFAULT (unixepoch()),
	due_at INTEGER NOT NULL,
	returned_at INTEGER
) STRICT;
CREATE UNIQUE INDEX loans_open ON loans (copy_barcode) WHERE returned_at IS NULL;
CREATE INDEX loans_by_borrower ON loans (borrower, lent_at);

CREATE TABLE fines (
	loan_ref INTEGER PRIMARY KEY REFERENCES loans (loan_id),
	amount_cents INTEGER NOT NULL,
	paid_at INTEGER,
	note TEXT
);

CREATE TABLE reviews (
	reviewed INTEGER NOT NULL,
	reviewer INTEGER NOT NULL,
	stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
	body TEXT,
	written_at INTEGER NOT NULL DEFAULT (unixepoch()),
	PRIMARY KEY (reviewed, reviewer),
	FOREIGN KEY (reviewed) REFERENCES books (book_id)
);

CREATE TABLE events (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	kind TEXT NOT NULL,
	happened_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
	payload BLOB NOT NULL
);

CREATE TABLE kv (
	name TEXT NOT NULL PRIMARY KEY,
	value ANY,
	expires REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
	account_no TEXT PRIMARY KEY,
	holder INTEGER NOT NULL REFERENCES members (id),
	balance_cents INTEGER NOT NULL DEFAULT 0,
	"opened on" TEXT
);

CREATE TABLE ledger (
	entry_id INTEGER PRIMARY KEY,
	account TEXT NOT NULL REFERENCES accounts (account_no),
	booked_on TEXT NOT NULL,
	delta_cents INTEGER NOT NULL,
	reference TEXT
);

CREATE VIRTUAL TABLE book_search USING fts5 (headline, synopsis, tokenize = 'porter unicode61');

CREATE VIRTUAL TABLE branches USING rtree (branch_id, min_lon, max_lon, min_lat, max_lat);

CREATE VIEW open_loans (loan, barcode, member, due) AS
SELECT loan_id, copy_barcode, borrower, due_at FROM loans WHERE returned_at IS NULL;

CREATE VIEW catalogue AS
SELECT b.book_id AS book, b.title AS heading, group_concat(a.display_name, ', ') AS by_line
FROM books AS b
LEFT JOIN book_authors AS ba ON ba.book_ref = b.book_id
LEFT JOIN authors AS a ON a.author_id = ba.author_ref
GROUP BY b.book_id;

CREATE TRIGGER open_loans_return INSTEAD OF UPDATE OF due ON open_loans
BEGIN
	UPDATE loans SET due_at = new.due WHERE loan_id = old.loan;
END;

CREATE TRIGGER loans_log AFTER UPDATE OF returned_at ON loans
WHEN new.returned_at IS NOT NULL AND old.returned_at IS NULL
BEGIN
	INSERT INTO events (kind, payload) VALUES ('returned', json_object('loan', new.loan_id));
END;

CREATE TRIGGER books_search_insert AFTER INSERT ON books
BEGIN
	INSERT INTO book_search (rowid, headline, synopsis) VALUES (new.book_id, new.title, new.subtitle);
END;
