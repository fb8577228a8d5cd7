-- Joins of every kind.
SELECT b.title, a.display_name FROM books b JOIN book_authors ba ON ba.book_ref = b.book_id JOIN authors a ON a.author_id = ba.author_ref WHERE b.book_id = ?;
SELECT b.title, c.label FROM books AS b LEFT JOIN categories AS c USING (category_id) ORDER BY c.sort_key, b.title;
SELECT title, label FROM books NATURAL JOIN categories WHERE published > 1900;
SELECT m.email, count(l.loan_id) FROM members m LEFT OUTER JOIN loans l ON l.borrower = m.id GROUP BY m.id;
SELECT c.barcode, l.loan_id FROM loans AS l RIGHT JOIN copies AS c ON c.barcode = l.copy_barcode WHERE l.loan_id IS NULL;
SELECT l.loan_id, f.amount_cents FROM loans AS l FULL OUTER JOIN fines AS f ON f.loan_ref = l.loan_id;
SELECT m.id, k.name FROM members AS m CROSS JOIN kv AS k;
SELECT m.full_name, i.full_name FROM members AS m INNER JOIN members AS i ON m.invited_by = i.id;
SELECT full_name, title, due_at FROM loans JOIN members ON members.id = borrower JOIN copies ON barcode = copy_barcode JOIN books ON book_id = copy_of WHERE returned_at IS NULL ORDER BY due_at;
SELECT p.label, c.label FROM categories p, categories c WHERE c.parent_id = p.category_id;
SELECT f.note FROM fines f JOIN (loans l JOIN members m ON m.id = l.borrower) ON l.loan_id = f.loan_ref WHERE m.blocked = 1;
SELECT t.title, t.n FROM (SELECT title, count(*) AS n FROM books JOIN copies ON copy_of = book_id GROUP BY book_id) AS t WHERE t.n > 1;
SELECT b.title FROM books AS b INDEXED BY books_by_title WHERE b.title = ? COLLATE NOCASE;
SELECT b.isbn FROM books AS b NOT INDEXED WHERE b.published = ?;
SELECT a.family_name, s.stars FROM authors a JOIN book_authors ON author_ref = a.author_id JOIN reviews s ON s.reviewed = book_ref AND s.stars = (SELECT max(stars) FROM reviews AS r WHERE r.reviewed = s.reviewed);
SELECT e.seq, j.value FROM events AS e, json_each(e.payload, '$.tags') AS j WHERE e.kind = ?;
SELECT m.id, j.key, j.value, j.type FROM members m JOIN json_each(m.settings) j ON j.type <> 'null';
SELECT j.fullkey, j.atom FROM events JOIN json_tree(events.payload) AS j WHERE j.atom IS NOT NULL AND events.seq = :seq;
