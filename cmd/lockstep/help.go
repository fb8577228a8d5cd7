package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// pages has a file for each topic of help and for the manual of each command, named for
// it. They are Markdown, for those who read them on the web.
//
//go:embed help
var pages embed.FS

// page returns the title of a page and the text below it.
func page(name string) (title, text string, err error) {
	b, err := pages.ReadFile("help/" + name + ".md")
	title, text, _ = strings.Cut(strings.TrimPrefix(string(b), "# "), "\n")
	return title, text, err
}

// help prints the overview, or the manual of a command or topic.
func help(stdout io.Writer, args []string) error {
	switch {
	case len(args) == 0:
		printOverview(stdout)
		return nil
	case len(args) > 1:
		return errors.New("help: want one name\n\tlockstep help")
	}
	if title, text, err := page(args[0]); err == nil {
		printTopic(stdout, title+"\n"+text)
		return nil
	}
	cmd, err := find(args[0], topicNames()...)
	if err == nil {
		printManual(stdout, cmd)
	}
	return err
}

func printOverview(w io.Writer) {
	fmt.Fprint(w, `Lockstep keeps a SQLite database and the Go program that uses it at the same
version.

Usage:

	lockstep COMMAND [flags] [arguments]

Commands:

`)
	for _, cmd := range commands() {
		title, _, _ := page("commands/" + cmd.name)
		fmt.Fprintf(w, "	%-9s %s\n", cmd.name, strings.ToLower(title[:1])+title[1:])
	}
	fmt.Fprint(w, "\nTopics:\n\n")
	for _, name := range topicNames() {
		title, _, _ := page(name)
		fmt.Fprintf(w, "	%-14s %s\n", name, strings.ToLower(title[:1])+title[1:])
	}
	fmt.Fprint(w, `
Without --db and --migrations, the paths are those in the section [paths] of the
file .fastmigrate in the current folder, or else data/database.db and migrations;
but check and schema look at a database only with --db. Flags may come before or
after the arguments, with one hyphen or two.

Exit codes: 0 done; 1 not so (stale, behind, refused, problems found); 2 no answer
(a usage error, an unreadable file, a full disk, a locked database, an interrupt).

"lockstep help NAME" explains a command or a topic. "lockstep init" is the first step
in a program, and prints the next ones.
`)
}

// printManual prints what "lockstep help NAME" and "lockstep NAME -h" say.
func printManual(w io.Writer, cmd command) {
	fs := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	cmd.define(fs)
	jsonFlag(fs)
	_, text, _ := page("commands/" + cmd.name)
	fmt.Fprintln(w, "Usage:")
	printTopic(w, text)
	fmt.Fprint(w, "\nFlags:\n\n")
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		text = strings.TrimPrefix(text, value+": ")
		if _, ok := f.Value.(interface{ IsBoolFlag() bool }); ok {
			value = ""
		}
		if _, ok := f.Value.(*pathFlag); ok && f.DefValue != "" {
			text += " (default from .fastmigrate, or " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %s\n    	%s\n", strings.TrimSpace(hyphened(f.Name)+" "+value), text)
	})
}

// topicNames returns the names of the topics, sorted.
func topicNames() (names []string) {
	entries, _ := pages.ReadDir("help") // it is embedded
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".md"); ok {
			names = append(names, name)
		}
	}
	return names
}

// link is a link in Markdown.
var link = regexp.MustCompile(`\[([^]]+)\]\([^)]+\)`)

// printTopic prints Markdown for a terminal: code is indented, links lose their
// addresses, and tables are aligned.
func printTopic(w io.Writer, text string) {
	code := false
	var table [][]string
	for line := range strings.Lines(text) {
		if !code {
			line = link.ReplaceAllString(line, "$1")
			switch {
			case strings.HasPrefix(line, "| --- "):
				continue
			case strings.HasPrefix(line, "| "):
				table = append(table, cells(line))
				continue
			}
		}
		printTable(w, table)
		table = nil
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code && line != "\n":
			fmt.Fprint(w, "\t", line)
		case code:
			fmt.Fprint(w, line)
		case strings.HasPrefix(line, "# "):
			fmt.Fprint(w, line[2:])
		case strings.HasPrefix(line, "## "):
			fmt.Fprint(w, line[1:])
		default:
			fmt.Fprint(w, line)
		}
	}
	printTable(w, table)
}

// cells returns the cells of a table's row.
func cells(row string) []string {
	row = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(row), "|"), "|")
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// printTable prints a table, whose first row is its header, with aligned columns.
// When that is too wide for a terminal, the cells of a row go below its first.
func printTable(w io.Writer, table [][]string) {
	const wide = 90
	widths, total := map[int]int{}, 0
	for _, row := range table {
		for i, cell := range row {
			if n := utf8.RuneCountInString(cell); n > widths[i] {
				total += n - widths[i]
				widths[i] = n
			}
		}
	}
	if total <= wide {
		for _, row := range table {
			var line strings.Builder
			for i, cell := range row {
				fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
			}
			fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
		}
		return
	}
	for _, row := range table[1:] {
		fmt.Fprintln(w, row[0])
		for i, cell := range row[1:] {
			if cell != "" {
				fmt.Fprintf(w, "\t%s\n", strings.TrimPrefix(table[0][i+1]+": "+cell, ": "))
			}
		}
	}
}
