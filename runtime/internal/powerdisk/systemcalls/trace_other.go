//go:build !linux || !amd64

package systemcalls

import (
	"errors"
	"os/exec"
)

// Supported returns an error that says why programs cannot be traced here.
func Supported() error { return errors.New("programs are traced on Linux on amd64 alone") }

// Run returns an error.
func (t *Tracer) Run(*exec.Cmd) error { return Supported() }
