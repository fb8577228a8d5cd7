// Package interpreter is not for programs and promises nothing: it may change in any release.
//
// It runs the Python and shell scripts that are migrations.
package interpreter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Find returns the command that runs a script, by the extension of its name, or an error
// that says what is missing.
func Find(file string) (command []string, err error) {
	var commands [][]string
	windows := runtime.GOOS == "windows"
	switch ext := filepath.Ext(file); {
	case ext == ".sh":
		commands = [][]string{{"sh"}}
	case ext != ".py":
		return nil, fmt.Errorf("cannot run a %s file", ext)
	case windows:
		commands = [][]string{{"python3"}, {"python"}, {"py", "-3"}}
	default:
		commands = [][]string{{"python3"}}
	}
	var names []string
	for _, c := range commands {
		names = append(names, c[0])
		path, err := exec.LookPath(c[0])
		if err != nil {
			continue
		}
		command = append([]string{path}, c[1:]...)
		// On Windows, python3 can be a stub that only opens the store.
		if windows && c[0] != "sh" && exec.Command(path, append(c[1:], "--version")...).Run() != nil {
			continue
		}
		return command, nil
	}
	return nil, fmt.Errorf("needs %s, which is not in PATH", strings.Join(names, " or "))
}

// grace is how long a script may take to exit after the context has ended.
const grace = 2 * time.Second

// Run runs a script on a database, as a migration. file is its name, and text its
// content. db is the path of the database, in a folder of the caller's own: Run writes the
// script beside it, and removes it. Run returns when the script has exited, with the last
// 64 KiB of each of its outputs, and an error if it could not be run, its exit code is not
// 0, or ctx has ended.
func Run(ctx context.Context, file string, text []byte, db string) (stdout, stderr string, err error) {
	command, err := Find(file)
	if err != nil {
		return "", "", err
	}
	path := filepath.Join(filepath.Dir(db), filepath.Base(file))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", "", err
	}
	defer os.Remove(path)
	_, err = f.WriteString(sqltext.Normalize(text)) // a shell does not understand CRLF
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", err
	}

	if filepath.Ext(file) == ".py" {
		command = append(command, "-B", "-u") // no __pycache__, and no output lost when a script is killed
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], path, db)...)
	if IsPrivate(ctx) {
		if cmd.Env, err = Environment(filepath.Dir(db)); err != nil {
			return "", "", err
		}
	}
	var out, errs tail
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = run(cmd)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.String(), errs.String(), err
}

// run starts a command, waits for it, and ends what it has started.
func run(cmd *exec.Cmd) error {
	// On Linux, the signal at the death of the parent is at that of its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lead(cmd)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return err
	}
	state, err := cmd.Process.Wait()
	kill(cmd.Process)
	// What remains is the output, for which a process that escaped is not waited for long.
	_ = cmd.Wait()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	return err
}
