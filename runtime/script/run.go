package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Find returns the command that runs a script, by the ending of its name, or an error
// that says what is missing.
func Find(file string) (command []string, err error) {
	return language(filepath.Ext(file)).interpreter()
}

// interpreter returns the command to which the name of a script is added.
func (l language) interpreter() (command []string, err error) {
	var commands [][]string
	name := "sh"
	switch {
	case l == ".sh":
		commands = [][]string{{"sh"}}
	case l != ".py":
		return nil, fmt.Errorf("nothing is known to run a %s file", string(l))
	case goruntime.GOOS == "windows":
		name = "python3, python or py"
		commands = [][]string{{"python3"}, {"python"}, {"py", "-3"}}
	default:
		name = "python3"
		commands = [][]string{{"python3"}}
	}
	for _, c := range commands {
		path, err := exec.LookPath(c[0])
		if err != nil {
			continue
		}
		command = append([]string{path}, c[1:]...)
		// Windows has a python3 that does nothing but open a shop.
		if goruntime.GOOS == "windows" && l == ".py" && exec.Command(command[0], append(command[1:], "--version")...).Run() != nil {
			continue
		}
		return command, nil
	}
	return nil, fmt.Errorf("needs %s, which is not in PATH", name)
}

// grace is how long a script has to end by itself when the context has ended.
const grace = 2 * time.Second

// Run runs a script on a database, as a migration is run. file is its name, and text
// what is in it. db is the database's path, in a folder that is the caller's own: the
// script is written beside it, and removed. Run does not return before the script has
// ended. It returns the last 64 KiB of what it wrote, and an error if it could not be
// run or its exit code is not 0. If ctx has ended, errors.Is finds ctx.Err() in it.
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
	_, err = f.WriteString(sqltext.Normalize(text)) // a shell does not know CRLF
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", err
	}

	if filepath.Ext(file) == ".py" {
		command = append(command, "-B", "-u") // no __pycache__, and no output lost with a script that is killed
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], path, db)...)
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
	// The ends of pipes are given as files, so that Wait does not wait for what the
	// script has started, and that has its output, too.
	cmd.Stdout, cmd.Stderr = out.w, errs.w
	err = run(cmd)
	stdout, stderr = out.text(), errs.text()
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return stdout, stderr, err
}

// run starts a command and waits until it and what it has started have ended.
func run(cmd *exec.Cmd) error {
	// Where a process ends with the one that started it, that is with its thread.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	own(cmd)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	kill(cmd.Process)
	return err
}
