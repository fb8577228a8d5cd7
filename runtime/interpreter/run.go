// Package interpreter is not for programs and promises nothing: it may change in any release.
//
// It runs the Python and shell scripts that are migrations.
package interpreter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Find returns the command that runs a script, by the extension of its name, or an error
// that says what is missing.
func Find(file string) (command []string, err error) {
	commands := [][]string{{"sh"}}
	name := "sh"
	switch ext := filepath.Ext(file); {
	case ext == ".sh":
	case ext != ".py":
		return nil, fmt.Errorf("cannot run a %s file", ext)
	case runtime.GOOS == "windows":
		commands = [][]string{{"python3"}, {"python"}, {"py", "-3"}}
		name = "python3, python or py"
	default:
		commands = [][]string{{"python3"}}
		name = "python3"
	}
	for _, c := range commands {
		path, err := exec.LookPath(c[0])
		if err != nil {
			continue
		}
		command = append([]string{path}, c[1:]...)
		// On Windows, python3 can be a stub that only opens the store.
		if runtime.GOOS == "windows" && name != "sh" && exec.Command(command[0], append(command[1:], "--version")...).Run() != nil {
			continue
		}
		return command, nil
	}
	return nil, fmt.Errorf("needs %s, which is not in PATH", name)
}

// grace is how long a script may take to exit after the context has ended.
const grace = 2 * time.Second

// Run runs a script on a database, as a migration. file is its name, and text its
// content. db is the path of the database, in a folder of the caller's own: Run writes the
// script beside it, and removes it. Run returns when the script has exited, with the last
// 64 KiB of each of its outputs, and an error if it could not be run or its exit code is
// not 0. If ctx has ended, errors.Is finds ctx.Err() in the error.
func Run(ctx context.Context, file string, text []byte, db string) (stdout, stderr string, err error) {
	command, err := Find(file)
	if err != nil {
		return "", "", err
	}
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	path := filepath.Join(filepath.Dir(db), filepath.Base(file))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", "", err
	}
	defer func() {
		if e := os.Remove(path); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}()
	_, err = f.WriteString(sqltext.Normalize(text)) // a shell does not understand CRLF
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", err
	}

	if filepath.Ext(file) == ".py" {
		command = append(command, "-B", "-u") // no __pycache__, and no output lost when a script is killed
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], path, db)...)
	if IsPrivate(ctx) {
		env, home, err := Environment(filepath.Dir(db))
		if err != nil {
			return "", "", err
		}
		defer os.RemoveAll(home)
		cmd.Env = env
	}
	out, err := newTail()
	if err != nil {
		return "", "", err
	}
	defer out.close()
	errs, err := newTail()
	if err != nil {
		return "", "", err
	}
	defer errs.close()
	// The ends of the pipes are files, so that Wait does not wait for processes that the
	// script started, and that inherited them.
	cmd.Stdout, cmd.Stderr = out.w, errs.w
	err = run(cmd)
	stdout, stderr = out.text(), errs.text()
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return stdout, stderr, err
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
	err := cmd.Wait()
	kill(cmd.Process)
	return err
}
