module github.com/lockstep-db/lockstep/examples/cluster

go 1.26.0

tool github.com/lockstep-db/lockstep/cmd/lockstep

require (
	github.com/canonical/go-dqlite v1.11.5
	github.com/lockstep-db/lockstep v0.0.0
)

require (
	github.com/Rican7/retry v0.3.0 // indirect
	github.com/dave/jennifer v1.7.1 // indirect
	github.com/ghodss/yaml v1.0.0 // indirect
	github.com/google/renameio v1.0.1 // indirect
	github.com/mattn/go-sqlite3 v1.14.53 // indirect
	github.com/ncruces/go-sqlite3 v0.37.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.5.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
	lukechampine.com/adiantum v1.1.1 // indirect
)

replace github.com/lockstep-db/lockstep => ../..
