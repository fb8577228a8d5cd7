package renumber

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/git"
)

// findSides asks git which commit's migrations stay, if the user did not say so in onto.
// main is the branch whose migrations never move, or "" if the user decides.
func findSides(ctx context.Context, dir, onto string) (stays, main string, err error) {
	if onto != "" {
		if !git.HasCommit(ctx, dir, onto) {
			return "", "", gen.Refuse("missing", "%s: git knows no commit or branch %s", dir, onto)
		}
		return onto, "", nil
	}
	if !git.Succeeds(ctx, dir, "rev-parse", "--git-dir") {
		return "", "", ctx.Err() // no git, or no repository
	}
	main = mainBranch(ctx, dir)
	switch {
	case git.HasCommit(ctx, dir, "MERGE_HEAD"):
		if onMain(ctx, dir, main) && !pulling(ctx, dir, main) {
			return "HEAD", main, nil
		}
		return "MERGE_HEAD", main, nil
	case git.HasCommit(ctx, dir, "REBASE_HEAD") || git.HasCommit(ctx, dir, "CHERRY_PICK_HEAD"):
		// HEAD is what the commit is applied to; git calls it "ours".
		if !strings.HasPrefix(main, "origin/") {
			main = "" // it may be what is rebased
		}
		return "HEAD", main, nil
	}
	if main == "" && git.HasCommit(ctx, dir, "HEAD") {
		return "HEAD", "", nil // what is not committed moves
	}
	return main, main, nil
}

// mainBranch returns the branch whose migrations never move, without the commits of the
// current branch, or "".
func mainBranch(ctx context.Context, dir string) string {
	if main := git.Line(ctx, dir, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"); main != "" {
		return main
	}
	current := currentBranch(ctx, dir)
	for _, main := range []string{"origin/main", "origin/master", "main", "master"} {
		if main != current && git.HasCommit(ctx, dir, "refs/heads/"+main) || git.HasCommit(ctx, dir, "refs/remotes/"+main) {
			return main
		}
	}
	return ""
}

func currentBranch(ctx context.Context, dir string) string {
	return git.Line(ctx, dir, "symbolic-ref", "--quiet", "--short", "HEAD")
}

// onMain reports whether the current branch is the main branch.
func onMain(ctx context.Context, dir, main string) bool {
	current := currentBranch(ctx, dir)
	if main == "" {
		return current == "main" || current == "master"
	}
	return current == strings.TrimPrefix(main, "origin/")
}

// pulling reports whether what is merged into the main branch is what others have
// published there.
func pulling(ctx context.Context, dir, main string) bool {
	isIn := func(published string) bool {
		return git.Succeeds(ctx, dir, "merge-base", "--is-ancestor", "MERGE_HEAD", published)
	}
	return isIn("@{upstream}") || strings.HasPrefix(main, "origin/") && isIn(main)
}

// addedByBoth returns the migrations that both sides of a merge or a rebase have added
// under the same name. The folder has git's mixture of the two.
func addedByBoth(ctx context.Context, dir string) (both []filename.Name, err error) {
	unmerged, err := git.Names(ctx, dir, "ls-files", "-z", "--unmerged", ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	stages := map[string]string{}
	for _, entry := range unmerged { // mode, object, stage, TAB, name
		meta, name, _ := strings.Cut(entry, "\t")
		stages[name] += meta[len(meta)-1:]
	}
	for name, in := range stages {
		parsed, err := filename.Parse(name)
		if err != nil {
			continue
		}
		if in != "23" {
			return nil, gen.Refuse("problem", "%s: in conflict, but not added by both branches; resolve that first", filepath.Join(dir, name))
		}
		both = append(both, parsed)
	}
	slices.SortFunc(both, byVersion)
	return both, nil
}

// late reports whether one side of a merge has had its own migrations, by these names,
// without all of those that stay and come before them.
func late(ctx context.Context, dir, stays string, stay, own []filename.Name) (bool, error) {
	if !git.HasCommit(ctx, dir, "MERGE_HEAD") {
		return false, nil
	}
	moves := "HEAD"
	if stays == "HEAD" {
		moves = "MERGE_HEAD"
	}
	names, err := git.Names(ctx, dir, "ls-tree", "-z", "--name-only", moves)
	has := func(f filename.Name) bool { return slices.Contains(names, f.String()) }
	lacks := func(f filename.Name) bool { return !has(f) }
	return slices.ContainsFunc(own, has) && slices.ContainsFunc(stay, lacks), err
}
