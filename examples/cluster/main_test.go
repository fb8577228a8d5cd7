package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCounter does what README.md says: it starts the counter by one command, kills one of its
// nodes, and upgrades it while it runs.
func TestCounter(t *testing.T) {
	c := counterAt(t, t.TempDir())
	c.build()
	c.start()
	for n := 1; n <= 3; n++ {
		c.awaits(n, "0001")
		c.add(n)
	}
	any := 1 + rand.IntN(3)
	t.Logf("node %d is killed", any)
	syscall.Kill(c.awaits(any, "0001"), syscall.SIGKILL)
	delete(c.at, any)
	c.add(any%3 + 1)

	c.write("migrations/0002-name.sql", "ALTER TABLE counter ADD COLUMN name TEXT NOT NULL DEFAULT 'the counter';\n")
	c.write("main.go", strings.NewReplacer("V0001Counter", "V0002Name", "version 1", "version 2").Replace(c.read("main.go")))
	c.run("go", "tool", "lockstep", "generate", "migrations")
	c.awaits(any, "0001")
	c.add(any)
	c.build()
	syscall.Kill(c.awaits(1, "0001"), syscall.SIGTERM)
	for n := 1; n <= 3; n++ {
		c.awaits(n, "0002")
		c.add(n)
	}
}

// A running is the counter as people run it, from a copy of its source.
type running struct {
	*testing.T
	dir   string
	port  int
	lines chan string
	at    map[int]node // by their numbers
	least int          // what the counter is at least
}

type node struct {
	process int
	version string
}

func counterAt(t *testing.T, dir string) *running {
	c := &running{T: t, dir: dir, port: 20000 + rand.IntN(9000), lines: make(chan string, 1000), at: make(map[int]node)}
	for _, name := range []string{"main.go", "go.mod", "go.sum", "migrations/migrations.go", "migrations/lockstep_gen.go", "migrations/0001-counter.sql"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c.write(name, string(b))
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c.run("go", "mod", "edit", "-replace=github.com/lockstep-db/lockstep="+root)
	return c
}

func (c *running) write(name, text string) {
	c.Helper()
	path := filepath.Join(c.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o666)
	}
	if err != nil {
		c.Fatal(err)
	}
}

func (c *running) read(name string) string {
	c.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.Fatal(err)
	}
	return string(b)
}

func (c *running) run(name string, args ...string) {
	c.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		c.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// build builds the counter over the one that runs.
func (c *running) build() {
	c.Helper()
	c.run("go", "build", "-tags=libsqlite3", "-o", "counter", ".")
}

func (c *running) start() {
	cmd := exec.Command("./counter", "-port", fmt.Sprint(c.port))
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	c.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
}

var begun = regexp.MustCompile(`^node (\d): .*at version (\d+): http://.*, process (\d+)$`)

// awaits returns the process of a node, when that has begun at a version.
func (c *running) awaits(n int, version string) (process int) {
	c.Helper()
	timeout := time.After(30 * time.Second)
	for c.at[n].version != version {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.Fatal("the counter has ended")
			}
			c.Log(line)
			if m := begun.FindStringSubmatch(line); m != nil {
				var number int
				var at node
				fmt.Sscan(strings.Join(m[1:], " "), &number, &at.version, &at.process)
				c.at[number] = at
			}
		case <-timeout:
			c.Fatalf("node %d does not begin at version %s", n, version)
		}
	}
	return c.at[n].process
}

// add counts at a node until that answers, and fails the test if something was lost.
func (c *running) add(n int) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
	defer cancel()
	for {
		got, err := post(ctx, fmt.Sprintf("http://127.0.0.1:%d", c.port+n))
		if err == nil {
			if got <= c.least {
				c.Errorf("node %d counts to %d; it was %d", n, got, c.least)
			}
			c.least = got
			return
		}
		select {
		case <-ctx.Done():
			c.Fatalf("node %d: %v", n, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, url string) (n int, err error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", text)
	}
	if err == nil {
		_, err = fmt.Sscan(string(text), &n)
	}
	return n, err
}
