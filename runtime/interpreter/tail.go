package interpreter

import "strings"

// limit is how many bytes of each output are kept.
const limit = 64 << 10

// A tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	more bool // than was kept
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - limit; over > 0 {
		t.kept, t.more = append(t.kept[:0], t.kept[over:]...), true
	}
	return len(p), nil
}

func (t *tail) String() string {
	s := strings.ToValidUTF8(string(t.kept), "\uFFFD")
	if t.more {
		s = "…" + s
	}
	return s
}
