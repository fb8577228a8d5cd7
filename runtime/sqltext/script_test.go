package sqltext

import (
	"fmt"
	"strings"
	"testing"
)

func TestChecksum(t *testing.T) {
	const script = "CREATE TABLE a (b TEXT DEFAULT 'x  y');\nINSERT INTO a VALUES ('é');\n"
	const want = "t1:f09bf242236b5f7b6e1c82262e956857"
	if got := Parse(script).Checksum(); got != want {
		t.Errorf("checksums never change: got %s, want %s", got, want)
	}
	for _, c := range []struct {
		name, script string
		same         bool
	}{
		{"LineEndsDoNotCount", strings.ReplaceAll(script, "\n", "\r\n"), true},
		{"ByteOrderMarkDoesNotCount", "\uFEFF" + script, true},
		{"BlanksDoNotCount", "\n\tCREATE  TABLE a(b TEXT DEFAULT 'x  y' ) ; INSERT INTO a VALUES('é');", true},
		{"CommentsDoNotCount", "-- Notes.\n/* lockstep: */ " + strings.ReplaceAll(script, "TABLE", "TABLE/**/") + "-- lockstep", true},
		{"DirectivesCount", "-- lockstep: no-cascade\n" + script, false},
		{"BlanksInStringsCount", strings.ReplaceAll(script, "x  y", "x y"), false},
		{"CaseOfStringsCounts", strings.ReplaceAll(script, "x  y", "X  y"), false},
		{"CommentMarksInStringsCount", strings.ReplaceAll(script, "x  y", "x--y"), false},
		{"CaseOfKeywordsCounts", strings.ReplaceAll(script, "TEXT", "text"), false},
		{"QuotesOfNamesCount", strings.ReplaceAll(script, "a (", `"a" (`), false},
		{"LastSemicolonCounts", strings.TrimSuffix(script, ";\n"), false},
		{"JoinedWordsCount", strings.ReplaceAll(script, "INTO a", "INTOa"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Parse(Normalize([]byte(c.script))).Checksum(); (got == want) != c.same {
				t.Errorf("got %s for %q, and %s for %q", got, c.script, want, script)
			}
		})
	}
	t.Run("BlanksOfDirectivesDoNotCount", func(t *testing.T) {
		a, b := Parse("--lockstep:no-cascade\nVACUUM").Checksum(), Parse("-- \tlockstep:  no-cascade  \n\nVACUUM").Checksum()
		if a != b {
			t.Errorf("got %s and %s", a, b)
		}
	})
	t.Run("LongTokensAreHashedWhole", func(t *testing.T) {
		long := strings.Repeat("x", 100_000)
		a, b := Parse("SELECT '"+long+"y', 1").Checksum(), Parse("SELECT '"+long+"z', 1").Checksum()
		if a == b {
			t.Errorf("got %s twice", a)
		}
	})
}

func TestDirectives(t *testing.T) {
	script := Parse("--lockstep:\tno-cascade  now\n-- lockstep : x\n/* lockstep: x */ '-- lockstep: x' --lockstep: y")
	var got []string
	for i, token := range script.Tokens {
		if words, ok := script.Directive(i); ok {
			got = append(got, fmt.Sprintf("%d:%d %q", script.Line(token.Pos), script.Column(token.Pos), words))
		}
	}
	if got, want := strings.Join(got, ", "), `1:1 "no-cascade now", 3:36 "y"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRemarks(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"AreAboveInAndBehind", "-- lockstep: a\nSELECT -- lockstep: b\n1; -- lockstep: c", "a, b, c"},
		{"CanFillSeveralLinesAbove", "-- lockstep: a\n  --lockstep: b\nSELECT 1", "a, b"},
		{"EndAtABlankLine", "-- lockstep: a\n\n-- lockstep: b\nSELECT 1", "b"},
		{"AreNotThoseBehindTheStatementAbove", "SELECT 2; -- lockstep: a\nSELECT 1", ""},
		{"AreNotThoseOnTheNextLine", "SELECT 1;\n-- lockstep: a\nSELECT 2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, s := range Parse(c.script).Cut() {
				if strings.HasPrefix(s.SQL, "SELECT -- ") || strings.HasPrefix(s.SQL, "SELECT 1") {
					for _, r := range s.Remarks() {
						got = append(got, r.Words)
					}
				}
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNoTransaction(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         bool
	}{
		{"IsTheFirstLine", "-- lockstep: no-transaction\nVACUUM;", true},
		{"CanStandBelowAComment", "-- Make it small.\n\n--lockstep:no-transaction\nVACUUM;", true},
		{"CannotStandBehindAStatement", "VACUUM; -- lockstep: no-transaction", false},
		{"CannotStandBehindAnotherDirective", "-- lockstep: no-cascade\n-- lockstep: no-transaction\nVACUUM;", false},
		{"IsSpeltRight", "-- lockstep: no-transactions\nVACUUM;", false},
		{"IsNotWhatIsMissing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Parse(c.script).NoTransaction(); got != c.want {
				t.Errorf("got %v for %q", got, c.script)
			}
		})
	}
}

func TestLineAndColumn(t *testing.T) {
	script := Parse("a\nbé c\n\nd")
	var got []string
	for i, token := range script.Tokens {
		got = append(got, fmt.Sprintf("%s at %d:%d", script.Token(i), script.Line(token.Pos), script.Column(token.Pos)))
	}
	if got, want := strings.Join(got, ", "), "a at 1:1, bé at 2:1, c at 2:5, d at 4:1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
