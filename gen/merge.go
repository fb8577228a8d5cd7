package gen

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// PinName returns the name of the type that pins code to a migration.
func PinName(migration lockstep.FileName) string { return pinName(migration) }

// merged returns what else than HEAD can say what history is, when two branches
// have added the same number. One of them has to give way, and its own record with
// it:
//
//   - in the middle of a merge either side's record may be the history. A database
//     can have been through the other's migrations as well as through HEAD's.
//   - a commit in which a number is used twice does not generate, so nothing has been
//     through what it says from that number on. If it is a merge, one of the commits
//     that it merged knows better.
func (h history) merged(ctx context.Context, dir string) (others []history) {
	if h.head == nil {
		return nil
	}
	with := func(head record) { others = append(others, history{file: h.file, head: head}) }
	at := func(rev string) {
		source, err := gitFile(ctx, dir, rev)
		if err != nil || source == nil {
			return
		}
		if head, err := parseRecord(source); err == nil {
			with(head)
		}
	}
	at("MERGE_HEAD")
	if twice := usedTwice(ctx, dir); twice > 0 {
		at("HEAD^2")
		at("HEAD^1")
		with(h.head.before(twice))
	}
	return others
}

// before returns the record of the migrations before v.
func (r record) before(v lockstep.Version) record {
	r = maps.Clone(r)
	maps.DeleteFunc(r, func(n lockstep.Version, _ lockstep.Migration) bool { return n >= v })
	return r
}

// usedTwice returns the first number that two migrations have in the directory as
// git's HEAD has it, or 0.
func usedTwice(ctx context.Context, dir string) lockstep.Version {
	out, err := git(ctx, dir, "ls-tree", "-z", "--name-only", "HEAD")
	if err != nil {
		return 0
	}
	var versions []lockstep.Version
	for _, name := range strings.Split(string(out), "\x00") {
		if parsed, err := lockstep.ParseFileName(name); err == nil {
			versions = append(versions, parsed.Version)
		}
	}
	slices.Sort(versions)
	for i := 1; i < len(versions); i++ {
		if versions[i] == versions[i-1] {
			return versions[i]
		}
	}
	return 0
}

// gitFile returns the generated file as a commit has it, or nil if it has none.
func gitFile(ctx context.Context, dir, rev string) ([]byte, error) {
	return git(ctx, dir, "show", rev+":./"+FileName)
}

// git runs git in dir and returns what it prints.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = gitEnviron()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err := cmd.Run()
	return stdout.Bytes(), err
}

// gitEnviron is the environment for git. Inside a hook git points its children at
// the repository and the folder it runs in, and ours is another.
func gitEnviron() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}, name)
	})
	return append(env, "LC_ALL=C")
}
