package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkVet measures "lockstep vet" beside plain "go vet" on an example, when nothing
// has changed since the last time, and when one file has. The metric is the ratio of the
// two, by their medians, measured in turns.
func BenchmarkVet(b *testing.B) {
	dir := b.TempDir()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	env, failed := moduleEnv()
	if err = errors.Join(err, failed); err == nil {
		err = copyExample(dir, root, "notes")
	}
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string) time.Duration {
		b.Helper()
		cmd := exec.Command(name, "vet", "./...")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), env...)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(start)
	}
	_, tool, _ := strings.Cut(env[len(env)-1], "=")
	store := filepath.Join(dir, "store.go")
	text, err := os.ReadFile(store)
	if err != nil {
		b.Fatal(err)
	}
	edits := 0
	for _, edited := range []bool{false, true} {
		b.Run(map[bool]string{false: "NothingChanged", true: "OneEdit"}[edited], func(b *testing.B) {
			took := map[string][]time.Duration{}
			run(tool)
			run("go")
			for b.Loop() {
				edits++
				if edited {
					if err := os.WriteFile(store, fmt.Appendf(text, "\n// %d\n", edits), 0o666); err != nil {
						b.Fatal(err)
					}
				}
				for i := range 2 {
					name := [...]string{tool, "go"}[(i+edits)%2]
					took[name] = append(took[name], run(name))
				}
			}
			median := func(all []time.Duration) float64 { slices.Sort(all); return float64(all[len(all)/2]) }
			b.ReportMetric(median(took[tool])/median(took["go"]), "x-of-go-vet")
		})
	}
}
