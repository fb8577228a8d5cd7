package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHelpTopics prints every topic as a terminal shows it.
func TestHelpTopics(t *testing.T) {
	for _, name := range topicNames() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := help(&out, []string{name}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "```") || strings.Contains(line, "](") || strings.HasPrefix(line, "|") {
					t.Errorf("is Markdown: %s", line)
				}
			}
			for _, cmd := range commands() {
				if cmd.name == name {
					t.Errorf("%s is a command, too", name)
				}
			}
		})
	}
}

// TestManuals wants a page for each command, which begins with how it is used, and no
// other pages.
func TestManuals(t *testing.T) {
	files, err := filepath.Glob("help/commands/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(commands()) + 1; len(files) != want { // and that of help
		t.Errorf("got %d pages, want %d", len(files), want)
	}
	for _, cmd := range commands() {
		title, text, err := page("commands/" + cmd.name)
		if err != nil {
			t.Error(err)
		} else if !strings.HasPrefix(text, "\n\tlockstep "+cmd.name) || title == "" {
			t.Errorf("%s: got title %q, text %q", cmd.name, title, text)
		}
	}
}

// TestHelpLinks looks for the files that the topics and README.md link to, and for the pages that
// they and the manuals have the reader ask for.
func TestHelpLinks(t *testing.T) {
	files, err := filepath.Glob("help/*.md")
	if err != nil {
		t.Fatal(err)
	}
	manuals, err := filepath.Glob("help/commands/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(append(files, manuals...), "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		for _, m := range regexp.MustCompile(`lockstep help ([a-z]+)`).FindAllStringSubmatch(string(text), -1) {
			if err := help(io.Discard, m[1:]); err != nil {
				t.Errorf("%s: %s: %v", file, m[0], err)
			}
		}
	}
}

func TestPrintTopic(t *testing.T) {
	const topic = `# Title

See [the other](other.md).

## Section

| one | two | three |
| --- | --- | --- |
| [a](a.md) | | c |

` + "```sh\nlockstep help\n\n# [not](a link)\n```\n" + `
| one | two | |
| --- | --- | --- |
| x | y | a cell that is so long that it does not fit beside the other on a terminal with a hundred columns |
`
	const want = `Title

See the other.

# Section

one  two  three
a         c

	lockstep help

	# [not](a link)

x
	two: y
	a cell that is so long that it does not fit beside the other on a terminal with a hundred columns
`
	var got bytes.Buffer
	printTopic(&got, topic)
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
