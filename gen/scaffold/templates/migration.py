# {TITLE}
#
# Write what takes a database from version {FROM} to {TO} below. It runs as
# "python3 {FILE} DATABASE", on a private copy of the database, which
# replaces the database once all pending migrations have run. Any exit code but 0
# undoes them all. Foreign keys are off by default in Python's sqlite3, as they are in
# SQL migrations; they are checked at the end.
#
# Then run "go generate ./..." and commit this file together with lockstep_gen.go and
# the code that is written for version {TO}.

import sqlite3
import sys

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
# db.execute("UPDATE ...")
db.execute("COMMIT")
db.close()
