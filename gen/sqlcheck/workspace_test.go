package sqlcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/tools/go/analysis"
	driver "golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/lockstep-db/lockstep/gen/genfile"
)

// A workspace is some packages that a test makes of text. What they import is
// loaded once for all tests, so that a test may check hundreds of them.
type workspace struct {
	fset     *token.FileSet
	packages map[string]*packages.Package
}

func newWorkspace() *workspace {
	return &workspace{token.NewFileSet(), map[string]*packages.Package{}}
}

// imports are the packages that a workspace may import, but for their own.
var imports = sync.OnceValues(func() (map[string]*types.Package, error) {
	cfg := &packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps}
	loaded, err := packages.Load(cfg, "context", "database/sql", "embed", genfile.RuntimePath)
	if err != nil {
		return nil, err
	}
	found := map[string]*types.Package{}
	packages.Visit(loaded, nil, func(p *packages.Package) { found[p.PkgPath] = p.Types })
	return found, nil
})

// add type-checks a package of one file, which is in folder dir.
func (w *workspace) add(t testing.TB, path, dir, source string) *packages.Package {
	t.Helper()
	others, err := imports()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(w.fset, filepath.Join(dir, "file.go"), source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	pkg := &packages.Package{
		ID:      path,
		Name:    file.Name.Name,
		PkgPath: path,
		Fset:    w.fset,
		Module:  &packages.Module{Path: "example.com/app", Main: true, GoVersion: "1.26"},
		Imports: map[string]*packages.Package{},
		Syntax:  []*ast.File{file},
		TypesInfo: &types.Info{
			Types:        map[ast.Expr]types.TypeAndValue{},
			Instances:    map[*ast.Ident]types.Instance{},
			Defs:         map[*ast.Ident]types.Object{},
			Uses:         map[*ast.Ident]types.Object{},
			Implicits:    map[ast.Node]types.Object{},
			Selections:   map[*ast.SelectorExpr]*types.Selection{},
			Scopes:       map[ast.Node]*types.Scope{},
			FileVersions: map[*ast.File]string{},
		},
		TypesSizes: types.SizesFor("gc", "amd64"),
	}
	config := types.Config{Sizes: pkg.TypesSizes, Importer: importerFunc(func(path string) (*types.Package, error) {
		if own := w.packages[path]; own != nil {
			pkg.Imports[path] = own
			return own.Types, nil
		}
		if other := others[path]; other != nil {
			return other, nil
		}
		return nil, fmt.Errorf("no package %s", path)
	})}
	pkg.Types, err = config.Check(path, w.fset, pkg.Syntax, pkg.TypesInfo)
	if err != nil {
		t.Fatal(err)
	}
	w.packages[path] = pkg
	return pkg
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// analyze returns what the analyzer reports about a package, in order of place.
func (w *workspace) analyze(t testing.TB, a *analysis.Analyzer, pkg *packages.Package) []analysis.Diagnostic {
	t.Helper()
	graph, err := driver.Analyze([]*analysis.Analyzer{a}, []*packages.Package{pkg}, nil)
	if err != nil {
		t.Fatal(err)
	}
	root := graph.Roots[0]
	if root.Err != nil {
		t.Fatal(root.Err)
	}
	slices.SortStableFunc(root.Diagnostics, func(a, b analysis.Diagnostic) int { return int(a.Pos - b.Pos) })
	return root.Diagnostics
}
