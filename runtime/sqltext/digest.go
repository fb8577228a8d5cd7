package sqltext

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Digest identifies a list of migrations by their numbers and checksums: two programs
// with the same digest bring a database to their version through the same migrations.
// The zero value is that of no migrations.
type Digest struct{ text []byte }

// Add adds the next migration.
func (d *Digest) Add(version int, checksum string) {
	d.text = fmt.Appendf(d.text, "%04d %s\n", version, checksum)
}

// String returns "t1:" and 128 bits of a SHA-256 in hexadecimal.
func (d *Digest) String() string { return digest("t1:", d.text) }

// Refusal returns what identifies a refusal: "d1:" and 128 bits of a SHA-256 in hexadecimal.
func Refusal(about []byte) string { return digest("d1:", about) }

// digest returns the first 128 bits of the text's SHA-256 after the name of the algorithm.
//
//go:noinline
func digest(algorithm string, text []byte) string {
	sum := sha256.Sum256(text)
	return algorithm + hex.EncodeToString(sum[:16])
}
