package dqlite

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/canonical/go-dqlite/client"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/barrier"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

var (
	long = flag.Bool("long", false, "all rounds")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random")
)

const migrations = 20 // of the programs that start

// TestCluster has many programs start at once on a cluster whose nodes die.
func TestCluster(t *testing.T) {
	rounds := 4
	if *long {
		rounds = 20
	}
	t.Logf("seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	c := newCluster(t, process{})
	during := 0
	for round := range rounds {
		t.Run(hurts[round%len(hurts)].name, func(t *testing.T) {
			name := fmt.Sprintf("r%d.db", round)
			db, err := open(name, c.addresses[:])
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			problems := c.starts(t, process{Does: "start", Name: name}, func(programs []*barrier.Process) {
				for _, p := range programs[:4] {
					time.AfterFunc(time.Duration(random.IntN(200))*time.Millisecond, func() { p.Process.Kill() })
				}
				time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // about as long as the upgrade takes
				if version := 0; db.QueryRowContext(t.Context(), "SELECT version FROM _meta").Scan(&version) != nil || version < migrations {
					during++
				}
				hurts[round%len(hurts)].hurt(c, c.leader())
			})
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
	t.Run("AVersionThatIsReadUnderTheLockIsEnough", func(t *testing.T) {
		for _, problem := range c.starts(t, process{Does: "start by hand", Name: "locked.db"}, nil) {
			t.Error(problem)
		}
	})
	t.Run("CatchesAVersionThatIsReadBeforeTheLock", func(t *testing.T) { // so the above tests something
		problems := c.starts(t, process{Does: "start by hand, careless", Name: "careless.db"}, nil)
		if !strings.Contains(strings.Join(problems, "\n"), "20 1,1,") {
			t.Errorf("no migration was applied twice: %v", problems)
		}
	})
	t.Run("WatchTellsOfAnUpgradeThoughTheLeaderIsPaused", c.watches)
	t.Logf("%d of %d rounds during the upgrade", during, rounds)
	if *long {
		fmt.Printf("proof: seed %d of runtime/drivertest/dqlite\nproof: %d rounds in which nodes of a cluster died or paused\nproof: %d of them, during the upgrade\n", *seed, rounds, during)
	}
}

// watches pauses the node that Watch asks, upgrades the database on the others by a pool that
// has a connection to that node, and waits for what Watch says.
func (c *cluster) watches(t *testing.T) {
	files := fstest.MapFS{"0001-one.sql": {Data: []byte("CREATE TABLE one (a);\n")}}
	db, err := open("watched.db", c.addresses[:])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := fixture.Schema(t, "sqlite3", files)
	if err := lockstep.Migrate(t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
	other, err := open("watched.db", c.addresses[:])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := lockstep.Check(t.Context(), other, s); err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 1)
	go func() { said <- lockstep.Watch(t.Context(), db, s) }()
	for db.Stats().InUse == 0 {
		time.Sleep(time.Millisecond)
	}
	leader := c.nodes[c.leader()].Process
	leader.Signal(syscall.SIGSTOP)
	defer leader.Signal(syscall.SIGCONT)
	files = fstest.MapFS{"0001-one.sql": files["0001-one.sql"], "0002-two.sql": {Data: []byte("CREATE TABLE two (a);\n")}}
	if err := lockstep.Migrate(t.Context(), other, fixture.Schema(t, "sqlite3", files)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-said:
		if !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("got %v", err)
		}
	case <-time.After(40 * time.Second):
		t.Error("Watch says nothing")
	}
}

// starts has sixteen programs start at once. Meanwhile it calls during, unless that is nil. It
// returns what went wrong with programs, but for the first four if during may kill them, and
// with what each node has in the end.
func (c *cluster) starts(t *testing.T, p process, during func([]*barrier.Process)) (problems []string) {
	files, numbers := fstest.MapFS{}, ""
	for n := 1; n <= migrations; n++ { // each leaves a row, so that one that is applied twice shows
		text := fmt.Sprintf("CREATE TABLE IF NOT EXISTS t%d (a);\nINSERT INTO log VALUES (%d);\n", n, n)
		files[fmt.Sprintf("%04d-more.sql", n)] = &fstest.MapFile{Data: []byte("CREATE TABLE IF NOT EXISTS log (n INTEGER);\n" + text)}
		numbers += fmt.Sprintf(",%d", n)
	}
	p.Nodes, p.Schema = c.addresses[:], fixture.Store(t, fixture.Schema(t, "sqlite3", files))
	programs, release := barrier.Start(t, 16, processVar, p)
	release()
	mayDie := 0
	if during != nil {
		during(programs)
		mayDie = 4
	}
	for i, program := range programs {
		if err := program.Wait(); err != nil && i >= mayDie {
			problems = append(problems, fmt.Sprintf("program %d: %v: %s", i, err, &program.Stderr))
		}
	}
	want := fmt.Sprintf("%d %s %s", migrations, numbers[1:], numbers[1:])
	for i := range c.nodes {
		got, err := c.holds(i, p.Name)
		for end := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(end); got, err = c.holds(i, p.Name) {
			time.Sleep(50 * time.Millisecond) // a follower learns of a commit later
		}
		if got != want {
			problems = append(problems, fmt.Sprintf("node %d: got %q, %v; want %q", i, got, err, want))
		}
	}
	return problems
}

// hurts are what happens to a cluster while programs start, and how it heals.
var hurts = []struct {
	name string
	hurt func(c *cluster, leader int)
}{
	{"TheLeaderIsKilled", (*cluster).replace},
	{"TheNextLeaderIsKilled", (*cluster).replace},
	{"TheLeaderIsPaused", func(c *cluster, leader int) {
		process := c.nodes[leader].Process
		process.Signal(syscall.SIGSTOP)
		time.Sleep(4 * time.Second)
		process.Signal(syscall.SIGCONT)
	}},
	{"TheMajorityIsLost", func(c *cluster, leader int) {
		other := (leader + 1) % len(c.nodes)
		c.kill(leader)
		c.kill(other)
		time.Sleep(time.Second)
		c.run(leader)
		c.run(other)
		c.says(leader, "ready")
		c.says(other, "ready")
	}},
}

// A cluster has three nodes, which are processes.
type cluster struct {
	*testing.T
	program         process // that each node has
	dirs, addresses [3]string
	nodes           [3]*exec.Cmd
	said            [3]*bufio.Scanner
}

func newCluster(t *testing.T, program process) *cluster {
	c := &cluster{T: t, program: program}
	for i := range c.nodes {
		c.dirs[i], c.addresses[i] = t.TempDir(), address(t)
	}
	for i := range c.nodes {
		c.run(i)
		c.says(i, "ready")
	}
	return c
}

// address returns one that is free.
func address(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a node.
func (c *cluster) run(i int) {
	c.Helper()
	p := c.program
	p.Dir, p.Address, p.Nodes = c.dirs[i], c.addresses[i], c.addresses[:]
	if i > 0 {
		p.Join = c.addresses[0]
	}
	text, err := json.Marshal(p)
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), processVar+"="+string(text)), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		c.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.Fatal(err)
	}
	c.nodes[i], c.said[i] = cmd, bufio.NewScanner(out)
	c.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
}

// says waits for a node to say something.
func (c *cluster) says(i int, want string) {
	c.Helper()
	for c.said[i].Scan() {
		if c.said[i].Text() == want {
			return
		}
	}
	c.Fatalf("node %d has not said %q: %v", i, want, c.said[i].Err())
}

// kill ends a node as kill -9 does.
func (c *cluster) kill(i int) {
	c.nodes[i].Process.Kill()
	c.nodes[i].Wait()
}

func (c *cluster) replace(i int) {
	c.kill(i)
	c.run(i)
	c.says(i, "ready")
}

// leader returns the number of the node that leads.
func (c *cluster) leader() int {
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	cli, err := client.FindLeader(ctx, store(c.addresses[:]), client.WithLogFunc(func(client.LogLevel, string, ...any) {}))
	if err != nil {
		c.Fatal(err)
	}
	defer cli.Close()
	info, err := cli.Leader(ctx)
	if err != nil {
		c.Fatal(err)
	}
	for i, a := range c.addresses {
		if a == info.Address {
			return i
		}
	}
	c.Fatalf("the leader is %s", info.Address)
	return 0
}

// holds returns what a node itself has of a database.
func (c *cluster) holds(i int, name string) (string, error) {
	ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
	defer cancel()
	cli, err := client.New(ctx, c.addresses[i])
	if err != nil {
		return "", err
	}
	defer cli.Close()
	files, err := cli.Dump(ctx, name)
	if err != nil {
		return "", err
	}
	dir := c.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			return "", err
		}
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	defer db.Close()
	var got string
	err = db.QueryRowContext(ctx, `SELECT (SELECT version FROM _meta) || ' ' || (SELECT group_concat(n) FROM (SELECT n FROM log ORDER BY n)) || ' ' ||
		(SELECT group_concat(version) FROM (SELECT version FROM _lockstep_history ORDER BY version))`).Scan(&got)
	return got, err
}
