//go:build !linux

package samedir

func hasRoom(string) bool { return false }
