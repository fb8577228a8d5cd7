package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkVet measures "lockstep vet" beside plain "go vet", when nothing has
// changed since the last time. The metric is the ratio of the two, by their
// medians, measured in turns.
func BenchmarkVet(b *testing.B) {
	run := func(name string, args ...string) time.Duration {
		b.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = filepath.Join("..", "..")
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(start)
	}
	ours := func() time.Duration { return run("lockstep", "vet", "./examples/...") }
	plain := func() time.Duration { return run("go", "vet", "./examples/...") }
	ours()
	plain()
	var withLockstep, without []time.Duration
	for b.Loop() {
		withLockstep, without = append(withLockstep, ours()), append(without, plain())
	}
	slices.Sort(withLockstep)
	slices.Sort(without)
	b.ReportMetric(float64(withLockstep[len(withLockstep)/2])/float64(without[len(without)/2]), "x-of-go-vet")
}
