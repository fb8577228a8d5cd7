-- Store totals in cents, and the customer's name with the order.
CREATE TABLE new_orders (
	id INTEGER PRIMARY KEY,
	customer INTEGER REFERENCES customers, -- NULL for a guest
	name TEXT,
	cents INTEGER NOT NULL
) STRICT;

-- The mistake: the join drops orders without a customer.
INSERT INTO new_orders (id, customer, name, cents)
SELECT orders.id, customer, name, CAST(round(total * 100) AS INTEGER)
FROM orders JOIN customers ON customers.id = customer;

DROP TABLE orders;
ALTER TABLE new_orders RENAME TO orders;
CREATE INDEX orders_by_customer ON orders (customer);
