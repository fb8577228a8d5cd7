package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func redoCommand(fs *flag.FlagSet) action {
	u := &upgrade{migrationsFlags(fs, gapsFlag), dbFlag(fs), timeoutFlag(fs), allowFlag(fs)}
	discard := fs.Bool("discard", false, "if there is no backup, rebuild the database without asking")
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		schema, err := u.load(ctx, s)
		if err != nil {
			return nil, err
		}
		s.migrating.Store(true)
		path := u.db.value
		s.progress.start(s.stderr)
		rebuild := func() error {
			s.progress.stop() // while a question is there
			defer s.progress.start(s.stderr)
			const fact = "no backup beside it is of an earlier version"
			if *discard || agreed(s.stderr, path+": "+fact+"; rebuild it from the migrations? Its rows will be only in a backup. [y/N] ") {
				return nil
			}
			return gen.Refuse("diverged", "%s: %s; to rebuild it from the migrations, with its rows only in a backup\n\t%s",
				path, fact, wording.CommandLine("lockstep", "redo", "--discard", "--db", path))
		}
		what := database.Restoration{DB: path, Timeout: *u.timeout, Report: s.progress.show}
		redone, err := database.Redo(ctx, what, schema, rebuild, append(u.runtimeOptions(s), lockstep.WithProgress(s.progress.report))...)
		if err != nil {
			return nil, err
		}
		s.warnings = append(s.warnings, redone.Warnings...)
		return redone, nil
	}
}

// agreed asks a question on a terminal, and reports whether the answer is yes.
func agreed(stderr io.Writer, question string) bool {
	if !isTerminal(os.Stdin) {
		return false
	}
	fmt.Fprint(stderr, wording.Printable(question))
	var answer string
	fmt.Fscanln(os.Stdin, &answer)
	return strings.HasPrefix(strings.ToLower(answer), "y")
}
