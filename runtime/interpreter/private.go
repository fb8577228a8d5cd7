package interpreter

import (
	"context"
	"os"
	"runtime"
)

type private struct{}

// Private returns a context with which Run gives scripts an environment of their own: see
// [Environment]. It is for whoever runs a script to learn what it does, on a database that
// is thrown away.
func Private(ctx context.Context) context.Context { return context.WithValue(ctx, private{}, true) }

// IsPrivate reports whether the context is of Private.
func IsPrivate(ctx context.Context) bool { return ctx.Value(private{}) != nil }

// Environment returns an environment without anything of this process's but PATH. Folders
// that belong to a user are a new one, which it makes in the folder dir.
func Environment(dir string) (env []string, err error) {
	home, err := os.MkdirTemp(dir, "home")
	if err != nil {
		return nil, err
	}
	env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home}
	if runtime.GOOS == "windows" {
		env = append(env, "USERPROFILE="+home, "TEMP="+home, "TMP="+home)
		for _, name := range []string{"SYSTEMROOT", "COMSPEC", "PATHEXT"} { // nothing starts without
			env = append(env, name+"="+os.Getenv(name))
		}
	}
	return env, nil
}
