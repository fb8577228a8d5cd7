UPDATE users SET born = '';
CREATE INDEX by_color ON notes (color);
