-- Common table expressions, recursive ones, VALUES.
WITH late AS (SELECT loan_id, borrower FROM loans WHERE returned_at IS NULL AND due_at < ?) SELECT m.email, count(*) FROM late JOIN members AS m ON m.id = late.borrower GROUP BY m.id;
WITH late (loan, who) AS (SELECT loan_id, borrower FROM loans WHERE due_at < :now), rich AS (SELECT holder FROM accounts WHERE balance_cents > 0) SELECT loan FROM late WHERE who IN (SELECT holder FROM rich);
WITH RECURSIVE path (category_id, label, depth) AS (SELECT category_id, label, 0 FROM categories WHERE category_id = ? UNION ALL SELECT c.category_id, c.label, depth + 1 FROM categories AS c JOIN path AS p ON c.parent_id = p.category_id) SELECT category_id, label FROM path ORDER BY depth, label;
WITH RECURSIVE up (here, parent) AS (SELECT category_id, parent_id FROM categories WHERE label = ? UNION SELECT categories.category_id, categories.parent_id FROM categories, up WHERE categories.category_id = up.parent) SELECT group_concat(here, '/') FROM up;
WITH RECURSIVE days (day) AS (VALUES (date(:from)) UNION ALL SELECT date(day, '+1 day') FROM days WHERE day < :until) SELECT day, (SELECT coalesce(sum(delta_cents), 0) FROM ledger WHERE booked_on = day) FROM days;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10) SELECT i FROM n;
WITH t AS MATERIALIZED (SELECT copy_of, count(*) AS n FROM copies GROUP BY copy_of) SELECT title, n FROM books JOIN t ON t.copy_of = book_id;
WITH t AS NOT MATERIALIZED (SELECT * FROM reviews) SELECT avg(stars) FROM t;
WITH wanted (code) AS (VALUES (?), (?), (?)) SELECT barcode FROM copies JOIN wanted ON wanted.code = barcode;
VALUES (1, 'a'), (2, 'b');
SELECT column1, column2 FROM (VALUES (1, 'a'), (2, 'b'));
WITH old AS (SELECT seq FROM events WHERE happened_at < datetime('now', '-1 year')) DELETE FROM events WHERE seq IN (SELECT seq FROM old);
WITH x (b, n) AS (SELECT holder, sum(balance_cents) FROM accounts GROUP BY holder) UPDATE members SET blocked = 1 WHERE id IN (SELECT b FROM x WHERE n < 0);
WITH src AS (SELECT barcode FROM copies WHERE condition = 'lost') INSERT INTO kv (name, value) SELECT barcode, 1 FROM src;
WITH RECURSIVE invited AS (SELECT id, 1 AS generation FROM members WHERE invited_by IS NULL UNION ALL SELECT m.id, generation + 1 FROM members m, invited i WHERE m.invited_by = i.id ORDER BY 2) SELECT generation, count(*) FROM invited GROUP BY generation;
