package wording

import "testing"

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ claim, text, want, lines string }{
		{"KeepsWhatIsSeen", `naïve "日本" C:\x 👍🏽 …`, `naïve "日本" C:\x 👍🏽 …`, `naïve "日本" C:\x 👍🏽 …`},
		{"QuotesEscapeCodes", "a\x1b[2Jb\x07\u009b0m", `a\x1b[2Jb\a\u009b0m`, `a\x1b[2Jb\a\u009b0m`},
		{"QuotesLineEnds", "a\nb\r\n\tc\u2028d", `a\nb\r\n\tc\u2028d`, "a\nb\\r\n\tc\\u2028d"},
		{"QuotesChangesOfDirection", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`, `a\u202eb\u2066c\u200f`},
		{"QuotesWhatJoinsCharactersOfANameAlone", "👨\u200d👩", `👨\u200d👩`, "👨\u200d👩"},
		{"ReplacesWhatIsNoText", "a\x9bb\xff", "a\uFFFDb\uFFFD", "a\uFFFDb\uFFFD"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := Printable(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := Printable(Printable(c.text)); got != c.want {
				t.Errorf("the second time: got %q, want %q", got, c.want)
			}
			if got := PrintableLines(c.text); got != c.lines {
				t.Errorf("lines: got %q, want %q", got, c.lines)
			}
		})
	}
}
