//go:build !linux

package suite

func permissions(*test)      {}
func noTemporaryFiles(*test) {}
