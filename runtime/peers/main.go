// Peers compares lockstep with other tools that run SQLite migrations from a Go program, and
// prints a table. It takes some minutes. With strace it also counts the fsyncs.
//
//	go run .
//	go run . processes # the rows that have the word
package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	processes = 16
	times     = 5
	once      = 20  // migrations of processes that start at once
	synced    = 100 // migrations whose fsyncs are counted
)

func main() {
	log.SetFlags(0)
	if len(os.Args) == 4 { // a process of its own: a tool, a database, and how many migrations
		child(os.Args[1], os.Args[2], os.Args[3])
		return
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	header, line := "| |", "| --- |"
	for _, t := range tools {
		header, line = header+" "+t.name+" |", line+" --- |"
	}
	fmt.Println(header + "\n" + line)
	for _, n := range []int{10, 100, 1000} {
		row(fmt.Sprintf("start at head, %d migrations", n), func(t tool) string { return start(t, dir, n) })
	}
	for _, n := range []int{10, 100, 1000} {
		row(fmt.Sprintf("new database, %d migrations", n), func(t tool) string { return fresh(t, dir, n) })
	}
	row(fmt.Sprintf("fsyncs of a new database, %d migrations", synced), func(t tool) string { return syncs(t, dir) })
	row(fmt.Sprintf("%d times %d processes at once: errors, rows inserted twice", times, processes), func(t tool) string { return atOnce(t, dir) })
	row("rows left of 2, after a rebuild of their parent", func(t tool) string { return rebuild(t, dir) })
}

func row(what string, cell func(tool) string) {
	if len(os.Args) == 2 && !strings.Contains(what, os.Args[1]) {
		return
	}
	line := "| " + what + " |"
	for _, t := range tools {
		line += " " + cell(t) + " |"
	}
	fmt.Println(line)
}

// texts returns n migrations, of which each makes a table and inserts a row.
func texts(n int) []string {
	texts := []string{"CREATE TABLE runs (migration INTEGER NOT NULL);\nINSERT INTO runs VALUES (1);\n"}
	for i := 2; i <= n; i++ {
		texts = append(texts, fmt.Sprintf("CREATE TABLE IF NOT EXISTS t%d (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL DEFAULT 0);\nINSERT INTO runs VALUES (%[1]d);\n", i))
	}
	return texts
}

const query = "SELECT migration FROM runs LIMIT 1"

// newPath returns the path of a database that is not there.
func newPath(dir string) string {
	sub, err := os.MkdirTemp(dir, "")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(sub, "data.db")
}

// start compares a start that finds nothing to do with one without the tool.
func start(t tool, dir string, n int) string {
	up, path := t.prepare(texts(n)), newPath(dir)
	must(up(path, query))
	return ratio(15, func() error { return t.raw(path, query) }, func() error { return up(path, query) })
}

// fresh compares the making of a database with that of the same in one transaction.
func fresh(t tool, dir string, n int) string {
	all := texts(n)
	up := t.prepare(all)
	return ratio(5, func() error {
		return t.raw(newPath(dir), strings.Join(all, ""))
	}, func() error { return up(newPath(dir), query) })
}

// ratio returns the median of the ratios of two neighbors.
func ratio(rounds int, plain, with func() error) string {
	var ratios []float64
	for i := range rounds + 1 {
		x := took(plain)
		y := took(with) + took(with)
		x += took(plain)
		if i > 0 { // the first one warms up
			ratios = append(ratios, y.Seconds()/x.Seconds())
		}
	}
	slices.Sort(ratios)
	if r := ratios[len(ratios)/2]; r < 10 {
		return fmt.Sprintf("%.2f", r)
	}
	return fmt.Sprintf("%.0f", ratios[len(ratios)/2])
}

func took(f func() error) time.Duration {
	begun := time.Now()
	must(f())
	return time.Since(begun)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// syncs counts the fsyncs of a process that makes a database.
func syncs(t tool, dir string) string {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return "?"
	}
	path := newPath(dir)
	out := path + ".strace"
	cmd := exec.Command(strace, "-f", "-e", "trace=fsync,fdatasync", "-o", out, os.Args[0], t.name, path, strconv.Itoa(synced))
	cmd.Stderr = os.Stderr
	must(cmd.Run())
	text, err := os.ReadFile(out)
	must(err)
	return strconv.Itoa(strings.Count(string(text), "sync("))
}

// atOnce starts processes that find the same new database, several times.
func atOnce(t tool, dir string) string {
	failed, twice := 0, 0
	for range times {
		f, n := together(t, newPath(dir))
		failed, twice = failed+f, twice+n
	}
	return fmt.Sprintf("%d, %d", failed, twice)
}

func together(t tool, path string) (failed, twice int) {
	var all []*exec.Cmd
	var gates []io.WriteCloser
	for range processes {
		cmd := exec.Command(os.Args[0], t.name, path, strconv.Itoa(once))
		gate, err := cmd.StdinPipe()
		must(err)
		ready, err := cmd.StdoutPipe()
		must(err)
		must(cmd.Start())
		_, err = bufio.NewReader(ready).ReadString('\n')
		must(err)
		all, gates = append(all, cmd), append(gates, gate)
	}
	for _, gate := range gates {
		gate.Close()
	}
	for _, cmd := range all {
		if cmd.Wait() != nil {
			failed++
		}
	}
	twice, _ = strconv.Atoi(one(path, "SELECT count(*) - count(DISTINCT migration) FROM runs"))
	return failed, twice
}

// child waits for the end of its standard input.
func child(name, path, n string) {
	count, err := strconv.Atoi(n)
	must(err)
	i := slices.IndexFunc(tools, func(t tool) bool { return t.name == name })
	up := tools[i].prepare(texts(count))
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	must(up(path, query))
}

// rebuild adds a constraint to a table that others reference, in the way of
// https://sqlite.org/lang_altertable.html#otheralter.
func rebuild(t tool, dir string) string {
	all := []string{
		"CREATE TABLE runs (migration INTEGER NOT NULL);\nCREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT);\n" +
			"CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE, tag TEXT NOT NULL);\n" +
			"INSERT INTO notes VALUES (1, 'first');\nINSERT INTO tags VALUES (1, 'a'), (1, 'b');\n",
		"PRAGMA foreign_keys = OFF;\nCREATE TABLE notes_new (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\n" +
			"INSERT INTO notes_new SELECT id, title FROM notes;\nDROP TABLE notes;\nALTER TABLE notes_new RENAME TO notes;\nPRAGMA foreign_keys = ON;\n",
	}
	path := newPath(dir)
	if err := t.prepare(all)(path, query); err != nil {
		return "error"
	}
	return one(path, "SELECT count(*) FROM tags")
}

// one returns the value that a query returns.
func one(path, query string) string {
	db, err := open(path)
	must(err)
	defer db.Close()
	var value sql.NullString
	if err := db.QueryRow(query).Scan(&value); err != nil {
		return "?"
	}
	return value.String
}
