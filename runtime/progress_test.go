package lockstep

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeat(t *testing.T) {
	begin := func(last Progress) (r *reporter, reports *[]Progress, stop func()) {
		reports = new([]Progress)
		r = &reporter{begun: time.Now(), last: last, f: func(p Progress) { *reports = append(*reports, p) }}
		return r, reports, r.repeat()
	}
	t.Run("TellsWhatTakesLongAtLeastOnceASecond", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, reports, stop := begin(Progress{Doing: waiting, Rows: 7})
			time.Sleep(1700 * time.Millisecond) // of the test's own time
			r.does(checking)
			time.Sleep(10 * time.Second)
			stop()
			time.Sleep(10 * time.Second)
			last := time.Duration(0)
			for i, p := range *reports {
				want := waiting
				if p.Elapsed >= 1700*time.Millisecond {
					want = checking
				}
				if p.Doing != want || p.Rows != 7 || p.Elapsed-last > time.Second || i > 0 && p.Elapsed <= last {
					t.Errorf("got %+v after %v", p, last)
				}
				last = p.Elapsed
			}
			if last < 11*time.Second {
				t.Errorf("the last report came after %v", last)
			}
		})
	})
	t.Run("GoesOnWithoutACallbackThatEndsItsGoroutine", func(t *testing.T) { // as t.Fatal does
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			r := &reporter{begun: time.Now()}
			r.f = func(Progress) {
				if calls++; calls == 1 {
					runtime.Goexit()
				}
			}
			stop := r.repeat()
			time.Sleep(5 * time.Second)
			r.does(checking)
			stop()
			if calls != 2 {
				t.Errorf("called %d times", calls)
			}
		})
	})
	t.Run("DoesNotRepeatWhatIsDone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, reports, stop := begin(Progress{Doing: running, Done: true})
			time.Sleep(5 * time.Second)
			stop()
			if !slices.Equal(*reports, nil) {
				t.Errorf("got %+v", *reports)
			}
		})
	})
}
