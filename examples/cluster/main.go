// The program cluster is a counter that three processes keep, in a SQLite database that dqlite
// replicates. It survives the death of any one of them. See README.md.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/canonical/go-dqlite/app"

	"github.com/lockstep-db/lockstep/examples/cluster/migrations"
)

// The SQL in this file is written for version 1 of the database.
const _ migrations.V0001Counter = migrations.Latest

func main() {
	number := flag.Int("node", 0, "run one `node` alone: 1, 2 or 3")
	data := flag.String("data", "data", "the `folder` of the nodes' data")
	port := flag.Int("port", 8080, "node N answers at this `port` + N, and speaks to others at 1000 more")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *number == 0 {
		startAll(ctx, *data, *port)
		return
	}
	log.SetPrefix(fmt.Sprintf("node %d: ", *number))
	if err := run(ctx, *number, *port, filepath.Join(*data, fmt.Sprint(*number))); err != nil {
		log.Fatal(err)
	}
}

// startAll runs three nodes, and starts one again that has ended.
func startAll(ctx context.Context, data string, port int) {
	program, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for n := 1; n <= 3; n++ {
		all.Go(func() {
			for ctx.Err() == nil {
				node := exec.CommandContext(ctx, program, "-node", fmt.Sprint(n), "-data", data, "-port", fmt.Sprint(port))
				node.Stdout, node.Stderr = os.Stdout, os.Stderr
				log.Printf("node %d ended: %v", n, node.Run())
				time.Sleep(time.Second)
			}
		})
	}
	all.Wait()
}

func run(ctx context.Context, n, port int, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	options := []app.Option{app.WithAddress(address(port+1000, n))}
	if n > 1 {
		options = append(options, app.WithCluster([]string{address(port+1000, 1)}))
	}
	node, err := app.New(dir, options...)
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.Ready(ctx); err != nil {
		return err
	}
	db, err := node.Open(ctx, "counter.db")
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrations.Migrate(ctx, db); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address(port, n))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: counter{db}}
	go server.Serve(listener)
	log.Printf("at version %v: http://%s, process %d", migrations.ExpectedVersion, listener.Addr(), os.Getpid())
	err = migrations.Watch(ctx, db) // nil when ctx ends
	server.Shutdown(context.Background())
	return err // whoever supervises the node starts the newer release
}

func address(port, n int) string { return fmt.Sprintf("127.0.0.1:%d", port+n) }

// counter says what the counter is, and counts when it is posted to.
type counter struct{ db *sql.DB }

func (c counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if r.Method == http.MethodPost {
		if err := c.add(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	var n int
	if err := c.db.QueryRowContext(ctx, `SELECT n FROM counter`).Scan(&n); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, n)
}

// add counts, unless a newer release has upgraded the database.
func (c counter) add(ctx context.Context) error {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A transaction that began by reading may not write when somebody else has written since.
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`) // after a COMMIT it does nothing
	if err := migrations.CheckTx(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `UPDATE counter SET n = n + 1`); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	return err
}
