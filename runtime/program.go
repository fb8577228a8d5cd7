package lockstep

// A Program is a migration that is not SQL. Generated code makes one with [Go] for a .go
// file, and with package script for a .py or .sh file.
type Program interface {
	// Checksum returns the checksum of the file's text: what has to stay the same
	// for it to be the same migration.
	Checksum(text []byte) string
}
