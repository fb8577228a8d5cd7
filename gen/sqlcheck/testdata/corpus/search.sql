-- Full text, R-Tree, views.
SELECT rowid, headline FROM book_search WHERE book_search MATCH ? ORDER BY rank;
SELECT highlight(book_search, 0, '<b>', '</b>'), snippet(book_search, 1, '[', ']', '…', 12) FROM book_search WHERE book_search MATCH :words ORDER BY bm25(book_search, 10.0, 1.0) LIMIT 20;
SELECT b.title, s.synopsis FROM book_search AS s JOIN books AS b ON b.book_id = s.rowid WHERE s.headline MATCH ?;
SELECT headline FROM book_search('sqlite');
SELECT count(*) FROM book_search WHERE synopsis LIKE ?;
INSERT INTO book_search (rowid, headline, synopsis) VALUES (?, ?, ?);
INSERT INTO book_search (book_search) VALUES ('optimize');
INSERT INTO book_search (book_search, rank) VALUES ('merge', 500);
UPDATE book_search SET synopsis = ? WHERE rowid = ?;
DELETE FROM book_search WHERE rowid = ?;
SELECT branch_id FROM branches WHERE min_lon <= ? AND max_lon >= ? AND min_lat <= ? AND max_lat >= ?;
INSERT INTO branches VALUES (?, ?, ?, ?, ?);
DELETE FROM branches WHERE branch_id = ?;
SELECT loan, member FROM open_loans WHERE due < ?;
SELECT o.barcode, m.email FROM open_loans AS o JOIN members AS m ON m.id = o.member;
SELECT heading, by_line FROM catalogue WHERE book = ?;
SELECT heading FROM catalogue WHERE by_line LIKE '%' || ? || '%' ORDER BY heading LIMIT 5;
