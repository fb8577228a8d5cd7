package gomod

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"time"
)

// Command returns a go command. When the context ends, it is interrupted rather than
// killed, so that it removes its temporary files.
func Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) == nil {
			return nil
		}
		return cmd.Process.Kill() // on Windows
	}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// WriteOverlay writes the file that the go command's flag -overlay takes: which files it
// reads in place of others.
//
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies
func WriteOverlay(name string, replace map[string]string) error {
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o666)
}
