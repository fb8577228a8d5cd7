-- Window functions.
SELECT title, row_number() OVER (ORDER BY price_cents DESC) FROM books;
SELECT title, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w FROM books WINDOW w AS (PARTITION BY category_id ORDER BY published);
SELECT booked_on, sum(delta_cents) OVER (PARTITION BY account ORDER BY booked_on, entry_id) AS running FROM ledger;
SELECT booked_on, avg(delta_cents) OVER (ORDER BY booked_on ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM ledger WHERE account = ?;
SELECT entry_id, lag(delta_cents, 1, 0) OVER (ORDER BY entry_id), lead(delta_cents) OVER (ORDER BY entry_id) FROM ledger;
SELECT first_value(title) OVER (PARTITION BY published ORDER BY title), last_value(title) OVER (PARTITION BY published ORDER BY title RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM books;
SELECT nth_value(shelf, 2) OVER (ORDER BY barcode GROUPS 1 PRECEDING) FROM copies;
SELECT ntile(4) OVER (ORDER BY stars), body FROM reviews;
SELECT borrower, count(*) FILTER (WHERE returned_at IS NULL) OVER (PARTITION BY borrower) FROM loans;
SELECT borrower, loan_id FROM (SELECT borrower, loan_id, row_number() OVER (PARTITION BY borrower ORDER BY lent_at DESC) AS rn FROM loans) WHERE rn = 1;
SELECT sum(stars) OVER (ORDER BY written_at ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM reviews;
