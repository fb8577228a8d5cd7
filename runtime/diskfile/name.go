package diskfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Name gives a file a name that no file has. Otherwise errors.Is finds [fs.ErrExist]. (A
// rename would replace the other file.) The file may keep its old name, too.
func Name(file, name string) error {
	err := os.Link(file, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Not all file systems have links. Take the name first.
		f, e := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if e != nil {
			return e
		}
		f.Close()
		if err = os.Rename(file, name); err != nil {
			os.Remove(name)
		}
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err} // the caller knows this name
	}
	return err
}

// Equal reports whether two files have the same bytes. It reports false if one cannot be
// read.
func Equal(a, b string) bool {
	f, err := os.Open(a)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false
	}
	defer g.Close()
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	if gi, err := g.Stat(); err != nil || fi.Size() != gi.Size() {
		return false
	}
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, p)
		m, _ := io.ReadFull(g, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err != nil {
			return err == io.EOF || err == io.ErrUnexpectedEOF
		}
	}
}
