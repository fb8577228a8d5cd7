package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// A site answers from the moment when the program starts: with the pages of the notebook, or
// until the database is there for them, with what is done to it. An upgrade of a large
// database takes its time, and whoever watches the program must not kill it for that.
type site struct {
	pages    atomic.Pointer[http.Handler] // nil while the program starts
	progress atomic.Pointer[lockstep.Progress]
}

// report is called while the database is upgraded.
func (s *site) report(p lockstep.Progress) { s.progress.Store(&p) }

// open has the pages answer.
func (s *site) open(pages http.Handler) { s.pages.Store(&pages) }

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pages := s.pages.Load()
	switch {
	case r.URL.Path == "/health" && pages == nil:
		fmt.Fprintln(w, "starting") // with status 200: it is alive
	case r.URL.Path == "/health":
		fmt.Fprintln(w, "ok")
	case pages == nil:
		w.Header().Set("Retry-After", "1")
		if r.Method == http.MethodGet { // else what was typed would be lost
			w.Header().Set("Refresh", "1")
		}
		http.Error(w, s.status(), http.StatusServiceUnavailable)
	default:
		(*pages).ServeHTTP(w, r)
	}
}

// status says what is done to the database, as "upgrading, 0004, 1.2 million rows, 83s".
func (s *site) status() string {
	p := s.progress.Load()
	if p == nil {
		return "starting"
	}
	words := []string{"upgrading"}
	if p.Version > 0 {
		words = append(words, p.Version.String())
	} else {
		words = append(words, p.Doing)
	}
	if p.Rows > 0 {
		words = append(words, count(p.Rows)+" rows")
	}
	if p.Elapsed >= time.Second {
		words = append(words, strconv.Itoa(int(p.Elapsed.Seconds()))+"s")
	}
	return strings.Join(words, ", ")
}

// count returns "812", "81 thousand" or "1.2 million".
func count(n int64) string {
	switch {
	case n < 10_000:
		return strconv.FormatInt(n, 10)
	case n < 1_000_000:
		return strconv.FormatInt(n/1000, 10) + " thousand"
	}
	return strconv.FormatFloat(float64(n/100_000)/10, 'f', -1, 64) + " million"
}
