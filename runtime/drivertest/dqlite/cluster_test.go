package dqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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

	"github.com/canonical/go-dqlite/app"
	"github.com/canonical/go-dqlite/client"
	"github.com/canonical/go-dqlite/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

var (
	long = flag.Bool("long", false, "all rounds")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random")
)

const (
	nodeVar    = "LOCKSTEP_TEST_NODE"    // directory, address, and the address to join or ""
	starterVar = "LOCKSTEP_TEST_STARTER" // a starter, as JSON
	migrations = 20
)

// TestMain makes of this test a node or a program that starts, when an environment variable
// says so.
func TestMain(m *testing.M) {
	if text := os.Getenv(nodeVar); text != "" {
		exit(runNode(strings.Split(text, ",")))
	}
	if text := os.Getenv(starterVar); text != "" {
		exit(start(text))
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runNode is a node until its standard input ends, as it does when the test dies.
func runNode(args []string) error {
	options := []app.Option{app.WithAddress(args[1]), app.WithRolesAdjustmentFrequency(time.Second)}
	if args[2] != "" {
		options = append(options, app.WithCluster([]string{args[2]}))
	}
	node, err := app.New(args[0], options...)
	if err != nil {
		return err
	}
	if err := node.Ready(context.Background()); err != nil {
		return err
	}
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// start is a program that starts.
func start(text string) error {
	var p starter
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	db, err := open(p.Name, p.Addresses)
	if err != nil {
		return err
	}
	s := &lockstep.Schema{Expected: p.Schema.Expected, Files: files(), Digest: p.Schema.Digest, SQL: p.Schema.SQL, Fingerprint: p.Schema.Fingerprint}
	for _, m := range p.Schema.Migrations {
		s.Migrations = append(s.Migrations, lockstep.Migration{Version: m.Version, File: m.File, Checksum: m.Checksum})
	}
	return lockstep.Migrate(context.Background(), db, s)
}

func open(name string, addresses []string) (*sql.DB, error) {
	d, err := driver.New(store(addresses), driver.WithLogFunc(func(client.LogLevel, string, ...any) {}), driver.WithAttemptTimeout(2*time.Second))
	if err != nil {
		return nil, err
	}
	connector, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func store(addresses []string) client.NodeStore {
	var nodes []client.NodeInfo
	for _, a := range addresses {
		nodes = append(nodes, client.NodeInfo{Address: a})
	}
	s := client.NewInmemNodeStore()
	s.Set(context.Background(), nodes)
	return s
}

// files are migrations each of which leaves a row, so that one that is applied twice shows.
func files() fstest.MapFS {
	files := fstest.MapFS{"0001-log.sql": {Data: []byte("CREATE TABLE log (n INTEGER);\nINSERT INTO log VALUES (1);\n")}}
	for n := 2; n <= migrations; n++ {
		files[fmt.Sprintf("%04d-more.sql", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "CREATE TABLE t%d (a);\nINSERT INTO log VALUES (%d);\n", n, n)}
	}
	return files
}

// A starter describes a program that starts.
type starter struct {
	Name      string // of the database
	Addresses []string
	Schema    struct {
		Expected                 lockstep.Version
		Digest, SQL, Fingerprint string
		Migrations               []struct {
			Version        lockstep.Version
			File, Checksum string
		}
	}
}

func address(i int) string { return fmt.Sprintf("127.0.0.1:%d", 19871+i) }

// A cluster has three nodes, which are processes.
type cluster struct {
	*testing.T
	dirs, addresses [3]string
	nodes           [3]*exec.Cmd
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{T: t}
	for i := range c.nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c.dirs[i], c.addresses[i] = t.TempDir(), l.Addr().String()
	}
	for i := range c.nodes {
		c.run(i)()
	}
	return c
}

// run starts a node. The function that it returns waits until it is ready.
func (c *cluster) run(i int) (ready func()) {
	c.Helper()
	join := ""
	if i > 0 {
		join = c.addresses[0]
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVar+"="+c.dirs[i]+","+c.addresses[i]+","+join)
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
	c.nodes[i] = cmd
	c.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return func() {
		if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
			c.Fatalf("node %d: %v", i, err)
		}
	}
}

// kill ends a node as kill -9 does.
func (c *cluster) kill(i int) {
	c.nodes[i].Process.Kill()
	c.nodes[i].Wait()
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

// TestCluster has many programs start at once on a cluster whose nodes die.
func TestCluster(t *testing.T) {
	rounds := 4
	if *long {
		rounds = 20
	}
	t.Logf("seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	c := newCluster(t)
	s := fixture.Schema(t, "sqlite3", files())
	var numbers []string
	for n := 1; n <= migrations; n++ {
		numbers = append(numbers, fmt.Sprint(n))
	}
	all := strings.Join(numbers, ",")
	want := fmt.Sprintf("%d %s %s", migrations, all, all)
	for round := range rounds {
		name := fmt.Sprintf("r%d.db", round)
		text, err := json.Marshal(map[string]any{"Name": name, "Addresses": c.addresses, "Schema": map[string]any{
			"Expected": s.Expected, "Digest": s.Digest, "SQL": s.SQL, "Fingerprint": s.Fingerprint, "Migrations": s.Migrations}})
		if err != nil {
			t.Fatal(err)
		}
		var starters [16]*exec.Cmd
		var stderr [16]bytes.Buffer
		for i := range starters {
			starters[i] = exec.Command(os.Args[0])
			starters[i].Env = append(os.Environ(), starterVar+"="+string(text))
			starters[i].Stderr = &stderr[i]
			if err := starters[i].Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { starters[i].Process.Kill() })
		}
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond) // a random moment, of the machine's
		c.hurt(round)
		for i := range 4 {
			starters[i].Process.Kill()
		}
		for i, p := range starters {
			if err := p.Wait(); err != nil && i >= 4 {
				t.Errorf("round %d, program %d: %v: %s", round, i, err, &stderr[i])
			}
		}
		for i := range c.nodes {
			got, err := c.holds(i, name)
			for end := time.Now().Add(10 * time.Second); got != want && time.Now().Before(end); got, err = c.holds(i, name) {
				time.Sleep(50 * time.Millisecond) // a follower learns of a commit later
			}
			if got != want {
				t.Errorf("round %d, node %d: got %q, %v; want %q", round, i, got, err, want)
			}
		}
	}
}

// hurt does to the cluster what the round is about, and heals it.
func (c *cluster) hurt(round int) {
	leader := c.leader()
	switch round % 4 {
	case 2: // paused
		process := c.nodes[leader].Process
		process.Signal(syscall.SIGSTOP)
		time.Sleep(4 * time.Second)
		process.Signal(syscall.SIGCONT)
	case 3: // no quorum
		other := (leader + 1) % 3
		c.kill(leader)
		c.kill(other)
		time.Sleep(time.Second)
		first, second := c.run(leader), c.run(other)
		first()
		second()
	default:
		c.kill(leader)
		c.run(leader)()
	}
}
