-- JSON and dates.
SELECT settings ->> '$.theme' FROM members WHERE id = ?;
SELECT settings -> 'notify' ->> 'email' FROM members WHERE settings ->> 'language' = :language;
SELECT json_extract(payload, '$.user.id', '$.user.name') FROM events WHERE json_extract(payload, '$.ok') = 1;
SELECT json_group_array(json_object('id', book_id, 'title', title)) FROM books WHERE published = ?;
SELECT json_group_object(name, value) FROM kv;
SELECT json_array_length(attributes, '$.tags'), json_quote(title) FROM books;
SELECT json_array(email, full_name), json_valid(settings) FROM members;
SELECT value FROM json_each(?);
SELECT json_pretty(jsonb_set(attributes, '$.seen', json('true'))) FROM books WHERE attributes IS NOT NULL;
SELECT date(happened_at), time(happened_at), datetime(happened_at, 'localtime') FROM events;
SELECT strftime('%Y-%m', joined_on) AS month, count(*) FROM members GROUP BY month ORDER BY month;
SELECT datetime(lent_at, 'unixepoch'), date(due_at, 'unixepoch', 'weekday 1') FROM loans;
SELECT julianday('now') - julianday(acquired) FROM copies WHERE acquired IS NOT NULL;
SELECT timediff('now', joined_on) FROM members WHERE id = ?;
SELECT unixepoch(booked_on, 'start of year') FROM ledger WHERE reference LIKE 'INV-%';
