package interpreter

import (
	"os"
	"strings"
	"time"
)

// limit is how many bytes of each output are kept.
const limit = 64 << 10

// A tail keeps the end of what is written to w.
type tail struct {
	r, w *os.File
	done chan struct{}
	kept []byte
	more bool // than was kept
}

func newTail() (*tail, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	t := &tail{r: r, w: w, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Read(buf)
			t.kept = append(t.kept, buf[:n]...)
			if over := len(t.kept) - limit; over > 0 {
				t.kept, t.more = append(t.kept[:0], t.kept[over:]...), true
			}
			if err != nil {
				return
			}
		}
	}()
	return t, nil
}

// text returns what was written. A process that escaped, and may still write, is not
// waited for.
func (t *tail) text() string {
	t.w.Close()
	select {
	case <-t.done:
	case <-time.After(time.Second):
		t.r.SetReadDeadline(time.Now())
		select {
		case <-t.done:
		case <-time.After(time.Second): // no deadlines for pipes on this system
			return ""
		}
	}
	s := strings.ToValidUTF8(string(t.kept), "\uFFFD")
	if t.more {
		s = "…" + s
	}
	return s
}

func (t *tail) close() {
	t.w.Close()
	t.r.Close()
}
