package sqltext

import (
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
	}{
		{"BlanksAreOneToken", " \t\n\f\r ", "Space"},
		{"VerticalTabContinuesBlanks", " \v", "Space"},
		{"VerticalTabBeginsNone", "\v ", "Illegal:\v Space"},
		{"ByteOrderMarkIsBlank", "\uFEFFx", "Space Word:x"},
		{"LineCommentEndsBeforeLineEnd", "--x;\r\ny", "Comment Space Word:y"},
		{"BlockCommentDoesNotNest", "/* /* */ */", "Comment Space Punct:* Punct:/"},
		{"BlockCommentNeedsFourBytes", "/*/ x", "Comment"},
		{"ShortestBlockComment", "/**/x", "Comment Word:x"},
		{"LastCommentCanStayOpen", "x/* ;", "Word:x Comment"},
		{"SlashStarAtTheEndIsNoComment", "x/*", "Word:x Punct:/ Punct:*"},
		{"DirectiveIsAddressed", "--  lockstep: x\n-- lockstep", "Directive:--  lockstep: x Space Comment"},
		{"QuotesHoldSemicolonsAndComments", "'a;--' \"b;--\" `c;/*` [d;--]", "String:'a;--' Space Quoted:\"b;--\" Space Quoted:`c;/*` Space Quoted:[d;--]"},
		{"DoubledQuotesAreInside", `'a''b' "a""b"`, "String:'a''b' Space Quoted:\"a\"\"b\""},
		{"BracketsHaveNoEscape", "[a]]", "Quoted:[a] Illegal:]"},
		{"OpenQuoteTakesTheRest", "x 'a;", "Word:x Space Illegal:'a;"},
		{"OpenBracketTakesTheRest", "[a;", "Illegal:[a;"},
		{"WordsOfAllAlphabets", "naïve 表 $ _a a$1", "Word:naïve Space Word:表 Space Illegal:$ Space Word:_a Space Word:a$1"},
		{"Numbers", "1 1.5 .5 1. 1e5 1E-5 0xFf 1_000 0x1_f", "Number:1 Space Number:1.5 Space Number:.5 Space Number:1. Space Number:1e5 Space Number:1E-5 Space Number:0xFf Space Number:1_000 Space Number:0x1_f"},
		{"NumberWithLettersIsIllegal", "1a 0x 1e+ 1e5x", "Illegal:1a Space Illegal:0x Space Illegal:1e Punct:+ Space Illegal:1e5x"},
		{"Blobs", "x'0aFF' X'' x'0' x'0g' x", "Blob:x'0aFF' Space Blob:X'' Space Illegal:x'0' Space Illegal:x'0g' Space Word:x"},
		{"OpenBlobTakesTheRest", "x'00;", "Illegal:x'00;"},
		{"Variables", "? ?12 :a @b $c $d::e(f) ?a", "Variable:? Space Variable:?12 Space Variable::a Space Variable:@b Space Variable:$c Space Variable:$d::e(f) Space Variable:? Word:a"},
		{"VariablesNeedAName", ": @ $ #1", "Illegal:: Space Illegal:@ Space Illegal:$ Space Variable:#1"},
		{"Operators", "-> ->> - || | << <= <> < >> >= > == = != ! ~", "Punct:-> Space Punct:->> Space Punct:- Space Punct:|| Space Punct:| Space Punct:<< Space Punct:<= Space Punct:<> Space Punct:< Space Punct:>> Space Punct:>= Space Punct:> Space Punct:== Space Punct:= Space Punct:!= Space Illegal:! Space Punct:~"},
		{"MinusMinusIsAComment", "1--1", "Number:1 Comment"},
		{"SemicolonsStandAlone", ";;", "Semicolon:; Semicolon:;"},
		{"DotBeforeAWord", "a.b", "Word:a Punct:. Word:b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tokens(c.text); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			agreesWithSQLite(t, open(t), c.text)
		})
	}
}

// FuzzNext compares tokens of any text with SQLite's.
func FuzzNext(f *testing.F) {
	for _, s := range []string{
		"CREATE/**/TRIGGER a AFTER INSERT ON b BEGIN SELECT CASE WHEN 1 THEN ';' END; END;",
		"\uFEFFSELECT 1_0.5e+1_0, 0x_f, 1__0, 1_.5, 1e5_x, x'00' ->> '$.a', :a::b(c d) -- \v\n, \"\xff\"",
		"SELECT [a]]b], `c``d`, $a(b), #1, @, 1.e5, .5., 'a''', \v\f",
		"/*/*/ -/**/- /* * /", "a\u00a0b\u2028c", "0xg 0x1g 1e 1e+ 1e-_1", "!=!<>=<<>>||||",
	} {
		f.Add(s)
	}
	conn := open(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 200 { // it takes the square of that
			agreesWithSQLite(t, conn, text)
		}
	})
}

var kinds = [...]string{"Space", "Comment", "Directive", "Word", "Quoted", "String", "Blob", "Number", "Variable", "Punct", "Semicolon", "Illegal"}

// tokens returns the kinds and texts of the tokens of a text.
func tokens(text string) string {
	var out []string
	for pos := 0; pos < len(text); {
		token := Next(text, pos)
		pos = token.End
		if s := kinds[token.Kind]; token.Kind == Space || token.Kind == Comment {
			out = append(out, s)
		} else {
			out = append(out, s+":"+text[token.Pos:token.End])
		}
	}
	return strings.Join(out, " ")
}

// agreesWithSQLite compares every token of the text with the one that SQLite finds
// in its place. Behind COMMIT TRANSACTION and a name nothing can follow but a
// semicolon, so SQLite complains about the first token that it finds there, and
// quotes it.
func agreesWithSQLite(t *testing.T, conn *sqlite3.Conn, text string) {
	t.Helper()
	if strings.Contains(text, "\x00") {
		return // where SQLite reads no further
	}
	for pos := 0; pos < len(text); {
		token := Next(text, pos)
		if token.Pos != pos || token.End <= pos || token.End > len(text) {
			t.Fatalf("%q at %d: got token %v", text, pos, token)
		}
		got := ""
		rest := token
		for rest.Kind == Space || rest.Kind == Comment || rest.Kind == Directive {
			if rest.End == len(text) {
				rest = Token{Kind: Semicolon}
				break
			}
			rest = Next(text, rest.End)
		}
		switch s := text[rest.Pos:rest.End]; rest.Kind {
		case Semicolon:
		case Illegal:
			got = `unrecognized token: "` + s + `"`
		default:
			got = `near "` + s + `": syntax error`
		}
		stmt, _, err := conn.Prepare("COMMIT TRANSACTION[x]" + text[pos:])
		stmt.Close()
		want := ""
		if err != nil {
			want = strings.TrimPrefix(err.Error(), "sqlite3: SQL logic error: ")
		}
		if got != want {
			t.Fatalf("%q at %d: got %s; SQLite says %s", text, pos, got, want)
		}
		pos = token.End
	}
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"DropsByteOrderMark", "\uFEFFSELECT 1", "SELECT 1"},
		{"MakesLineEndsLF", "a\r\nb\r\n", "a\nb\n"},
		{"MakesLineEndsInStringsLF", "'a\r\nb'", "'a\nb'"},
		{"KeepsLoneCarriageReturn", "a\rb\n\r", "a\rb\n\r"},
		{"KeepsTheRest", "\n a \uFEFF", "\n a \uFEFF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Normalize([]byte(c.file)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// open returns a connection to an empty database in memory.
func open(t testing.TB) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}
