package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// git runs git in a folder and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	// Inside a hook git points its children at the repository and the folder it
	// runs in, and ours is another.
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

// gitNames runs a git command that prints names, each followed by a NUL.
func gitNames(ctx context.Context, dir string, args ...string) ([]string, error) {
	out, err := git(ctx, dir, args...)
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), err
}

// gitHas reports whether git knows a revision.
func gitHas(ctx context.Context, dir, rev string) bool {
	_, err := git(ctx, dir, "rev-parse", "--quiet", "--verify", rev+"^{commit}")
	return err == nil
}

// gitBranch returns the short name that a reference stands for, or "".
func gitBranch(ctx context.Context, dir string, args ...string) string {
	out, err := git(ctx, dir, args...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}
