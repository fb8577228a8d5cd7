-- {TITLE}
--
-- Write the SQL that takes a database from version {FROM} to {TO} below. All pending
-- migrations run in one transaction, which is not yours to begin or commit, with
-- foreign keys off; they are checked before the commit.
--
-- Then run "go generate ./..." and commit this file together with lockstep_gen.go and
-- the code that is written for version {TO}.

