package lockstep

import "fmt"

// Format1 is the form of generated file that this version of the runtime reads.
//
// A compile error at "const _ = lockstep.Format1" in a lockstep_gen.go means that
// the generator and this package are not of the same release: update the one
// that is older (go get github.com/lockstep-db/lockstep@latest), then run
// go generate ./...
const Format1 = 1

// A Version is the number of the last migration that a database has been
// through. 0 is an empty database under management.
type Version int

// String returns the version as file names have it: "0011".
//
//go:noinline
func (v Version) String() string { return fmt.Sprintf("%04d", int(v)) }
