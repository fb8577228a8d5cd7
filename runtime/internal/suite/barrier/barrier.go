// Package barrier starts several processes of the test's own program, which go on at the same
// moment.
package barrier

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
)

// A Process was started and waits.
type Process struct {
	*exec.Cmd
	Stderr bytes.Buffer
}

// Start starts n processes of the running test binary. An environment variable describes what
// they do, as JSON. Each must call [Wait] once. They all go on when release is called, and are
// killed at the end of the test.
func Start(t testing.TB, n int, variable string, description any) (processes []*Process, release func()) {
	t.Helper()
	text, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var ready []io.Reader
	for range n {
		p := &Process{Cmd: exec.Command(os.Args[0])}
		p.Env = append(os.Environ(), variable+"="+string(text))
		p.Stdin = in
		p.Cmd.Stderr = &p.Stderr
		stdout, err := p.StdoutPipe()
		if err == nil {
			err = p.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Process.Kill() })
		processes = append(processes, p)
		ready = append(ready, stdout)
	}
	for i, stdout := range ready {
		if _, err := io.ReadFull(stdout, make([]byte, len(here))); err != nil {
			processes[i].Wait()
			t.Fatalf("process %d did not start: %v: %s", i, err, &processes[i].Stderr)
		}
	}
	return processes, func() { out.Close() }
}

const here = "ready\n"

// Wait returns when all processes may go on.
func Wait() {
	os.Stdout.WriteString(here)
	io.Copy(io.Discard, os.Stdin)
}
