package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
)

// scripts has a file for each shell, named for it. They ask this command, by completeName,
// what a word may be.
//
//go:embed completion
var scripts embed.FS

// completeName takes the place of a command when they do.
const completeName = "__complete"

func completionCommand(*flag.FlagSet) action {
	return func(_ context.Context, _ *streams, args []string) (any, error) {
		if len(args) != 1 {
			return nil, usage("want one of " + strings.Join(shells(), ", "))
		}
		script, err := scripts.ReadFile("completion/" + args[0])
		if err != nil {
			return nil, usage(fmt.Sprintf("found %q; want one of %s", args[0], strings.Join(shells(), ", ")))
		}
		return map[string]string{"script": string(script)}, nil
	}
}

func shells() []string { return filesIn(scripts, "completion") }

// complete prints what the last of the words after the name of this command may be: one
// candidate a line, with a tab and what it is. It prints nothing where the shell may
// offer files.
func complete(ctx context.Context, w io.Writer, words []string) {
	n, prefix := len(words)-1, ""
	if n < 0 {
		return
	}
	if n > 0 && words[n] == "=" { // Bash has --to=0001 in three words
		words[n] = ""
	} else if n > 1 && words[n-1] == "=" {
		words = append(words[:n-1], words[n])
		n--
	} else if name, value, ok := strings.Cut(words[n], "="); ok && strings.HasPrefix(name, "-") {
		words, prefix = append(words[:n], name, value), name+"="
		n++
	}
	for _, line := range candidates(ctx, words[:n], words[n]) {
		if strings.HasPrefix(line, words[n]) {
			fmt.Fprintln(w, prefix+line)
		}
	}
}

// candidates returns what the word after those before it may be.
func candidates(ctx context.Context, before []string, word string) (lines []string) {
	names := titled("commands/", commandNames())
	switch {
	case len(before) == 0:
		return append(names, titled("commands/", []string{"help"})...)
	case before[0] == "help" && len(before) == 1:
		return append(names, titled("", topicNames())...)
	}
	cmd, err := find(before[0])
	if err != nil {
		return nil
	}
	fs, _, _ := cmd.flags()
	last := before[len(before)-1]
	f := fs.Lookup(strings.TrimLeft(last, "-"))
	switch {
	case f != nil && last[0] == '-' && !isBool(f):
		if c, ok := f.Value.(choice); ok {
			parse(fs, before[1:len(before)-1])
			lookUp(ctx, fs) // whether or not that is right
			lines = c.list()
		}
	case strings.HasPrefix(word, "-"):
		fs.VisitAll(func(f *flag.Flag) {
			_, text := flagUsage(f)
			lines = append(lines, hyphened(f.Name)+"\t"+text)
		})
	case cmd.name == "completion":
		lines = shells()
	}
	return lines
}

// titled returns the names of pages, each with its title.
func titled(folder string, names []string) (lines []string) {
	for _, name := range names {
		title, _, _ := page(folder + name)
		lines = append(lines, name+"\t"+title)
	}
	return lines
}

// A choice is a flag whose value is one of a list.
type choice struct {
	set  func(string) error
	list func() []string // each may have a tab after it, and what it is
}

func (c choice) Set(s string) error { return c.set(s) }
func (c choice) String() string     { return "" }

// migrationsIn lists the migrations in the directory of the flags, each as a line.
func migrationsIn(fs *flag.FlagSet, line func(filename.Name) string) func() []string {
	return func() (lines []string) {
		files, _ := gen.Files(fs.Lookup("migrations").Value.String())
		for _, f := range files {
			lines = append(lines, line(f))
		}
		return lines
	}
}
