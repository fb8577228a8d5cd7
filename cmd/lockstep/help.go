package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
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
	case len(args) == 0 || len(args) == 1 && isHelp(args[0]):
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

// isHelp reports whether a word on the command line asks for help.
func isHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, word)
}

// printOverview prints the page of help itself, with the lists in it.
func printOverview(w io.Writer) {
	_, text, _ := page("commands/help")
	lists := strings.NewReplacer("{COMMANDS}", titles("commands/", commandNames()), "{TOPICS}", titles("", topicNames()))
	lists.WriteString(w, strings.TrimPrefix(text, "\n"))
}

// titles lists pages and their titles.
func titles(folder string, names []string) string {
	var rows [][]string
	for _, name := range names {
		title, _, _ := page(folder + name)
		rows = append(rows, []string{name, strings.ToLower(title[:1]) + title[1:]})
	}
	return indent(columns(rows))
}

// printManual prints what "lockstep help NAME" and "lockstep NAME -h" say.
func printManual(w io.Writer, cmd command) {
	fs, _, _ := cmd.flags()
	_, text, _ := page("commands/" + cmd.name)
	fmt.Fprintln(w, "Usage:")
	printTopic(w, text)
	fmt.Fprint(w, "\nFlags:\n\n")
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flagUsage(f)
		if _, ok := f.Value.(*pathFlag); ok && f.DefValue != "" {
			text += " (default from .fastmigrate, or " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %s\n    	%s\n", strings.TrimSpace(hyphened(f.Name)+" "+value), text)
	})
}

// flagUsage returns the name of a flag's value, or "", and what the flag does.
func flagUsage(f *flag.Flag) (value, text string) {
	value, text = flag.UnquoteUsage(f)
	text = strings.TrimPrefix(text, value+": ")
	if isBool(f) {
		value = ""
	}
	return value, text
}

func isBool(f *flag.Flag) bool {
	_, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok
}

// topicNames returns the names of the topics, sorted.
func topicNames() []string { return filesIn(pages, "help") }

// filesIn returns the names of the files in an embedded folder, sorted, without ".md".
func filesIn(files embed.FS, folder string) (names []string) {
	entries, _ := files.ReadDir(folder)
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, strings.TrimSuffix(e.Name(), ".md"))
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
				row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
				for i := range row {
					row[i] = strings.TrimSpace(row[i])
				}
				table = append(table, row)
				continue
			}
		}
		printTable(w, table)
		table = nil
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
			continue
		case code:
			line = indent(line)
		case line[0] == '#':
			line = strings.TrimPrefix(line[1:], " ")
		}
		io.WriteString(w, line)
	}
	printTable(w, table)
}

// printTable prints a table, whose first row is its header, with aligned columns.
// When that is too wide for a terminal, the cells of a row go below its first.
func printTable(w io.Writer, table [][]string) {
	aligned, wide := columns(table), false
	for line := range strings.Lines(aligned) {
		wide = wide || utf8.RuneCountInString(line) > 96
	}
	if !wide {
		io.WriteString(w, aligned)
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
