CREATE TABLE customers (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE TABLE orders (
	id INTEGER PRIMARY KEY,
	customer INTEGER REFERENCES customers, -- NULL for a guest
	total TEXT NOT NULL                    -- '12.50'
);
