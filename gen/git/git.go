// Package git is not for programs and promises nothing: it may change in any release.
//
// It asks git about the folder that holds migrations.
package git

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Run runs git in a folder and returns what it prints.
func Run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	// A hook's environment points to the repository that it runs in, which dir need not
	// be part of.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}, name)
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_LITERAL_PATHSPECS=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); err != nil && line != "" {
		err = errors.New("git: " + line)
	}
	return stdout.String(), err
}

// Succeeds reports whether a git command exits with 0.
func Succeeds(ctx context.Context, dir string, args ...string) bool {
	_, err := Run(ctx, dir, args...)
	return err == nil
}

// Line returns the one line that a git command prints, or "" if it fails.
func Line(ctx context.Context, dir string, args ...string) string {
	out, err := Run(ctx, dir, args...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// Names runs a git command that prints names, each followed by a NUL.
func Names(ctx context.Context, dir string, args ...string) ([]string, error) {
	out, err := Run(ctx, dir, args...)
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), err
}

// HasCommit reports whether git knows a commit, by any of its names.
func HasCommit(ctx context.Context, dir, rev string) bool {
	return Succeeds(ctx, dir, "rev-parse", "--quiet", "--verify", rev+"^{commit}")
}

// HasFile reports whether a commit has the file of dir.
func HasFile(ctx context.Context, dir, rev, name string) bool {
	return Succeeds(ctx, dir, "cat-file", "-e", rev+":./"+name)
}

// Show returns a file of dir as a commit has it. ok is false if there is no git, no
// such commit, or no such file in it.
func Show(ctx context.Context, dir, rev, name string) (text string, ok bool, err error) {
	if !inWorkTree(dir) {
		return "", false, nil
	}
	text, err = Run(ctx, dir, "show", rev+":./"+name)
	switch {
	case err == nil:
		return text, true, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", false, nil
	}
	nothing := []string{"does not exist in '", "exists on disk, but not in '", "invalid object name '", "not a git repository"}
	if slices.ContainsFunc(nothing, func(s string) bool { return strings.Contains(err.Error(), s) }) {
		return "", false, nil
	}
	return "", false, err
}

// inWorkTree reports whether the directory is in a git work tree. Where it is not, starting
// git to find out would take longer than everything else.
func inWorkTree(dir string) bool {
	dir, err := filepath.Abs(dir)
	for last := ""; err == nil && dir != last; last, dir = dir, filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
	}
	return false
}
