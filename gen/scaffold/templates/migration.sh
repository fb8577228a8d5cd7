# {TITLE}
#
# Write what takes a database from version {FROM} to {TO} below. It runs as
# "sh {FILE} DATABASE", on a private copy of the database, which
# replaces the database once all pending migrations have run. Any exit code but 0
# undoes them all. Foreign keys are off by default in sqlite3, as they are in SQL
# migrations; they are checked at the end.
#
# Then run "go generate ./..." and commit this file together with lockstep_gen.go and
# the code that is written for version {TO}.

set -eu

sqlite3 -bail "$1" <<'END'
BEGIN;
-- UPDATE ...
COMMIT;
END
