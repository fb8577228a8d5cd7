package script_test

import (
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/script"
)

func TestChecksum(t *testing.T) {
	sum := script.Python.Checksum
	const text = "import sys\n\n# why\nprint(sys.argv[1])\n"
	for name, test := range map[string]struct {
		other string
		same  bool
	}{
		"LineEndingsDoNotCount": {strings.ReplaceAll(text, "\n", "\r\n"), true},
		"AMarkDoesNotCount":     {"\uFEFF" + text, true},
		"ALineCounts":           {text + "\n", false},
		"ACommentCounts":        {strings.Replace(text, "why", "because", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, other := sum([]byte(text)), sum([]byte(test.other))
			if (got == other) != test.same {
				t.Errorf("got %s and %s; want them the same: %v", got, other, test.same)
			}
		})
	}
	// Databases hold it.
	if got, want := sum([]byte("print()\n")), "x1:d8594fa1268ecabc62af7c9e2449b8c4"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	if got, want := script.Shell.Checksum([]byte("print()\n")), "x1:d8594fa1268ecabc62af7c9e2449b8c4"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
