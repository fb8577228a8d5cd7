package rows

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A candidate makes a value, as SQL, of a number: another one of each, if it can.
type candidate func(n int) string

// constant is a candidate that is always the same.
func constant(sql string) candidate { return func(int) string { return sql } }

// format is a candidate that has the number in a text.
func format(f string) candidate {
	return func(n int) string { return literal(fmt.Sprintf(f, n)) }
}

// moment is a candidate for a time in this layout: a number of minutes after a moment.
func moment(layout string) candidate {
	return func(n int) string {
		// 25:01 later, so that the day differs, too.
		return literal(time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * 1501 * time.Minute).Format(layout))
	}
}

func integer(n int) string { return strconv.Itoa(n) }
func decimal(n int) string { return strconv.Itoa(n) + ".25" }
func blob(n int) string    { return fmt.Sprintf("x'%06x'", n) }
func epoch(n int) string   { return strconv.FormatInt(1704096000+90060*int64(n), 10) }
func either(n int) string  { return strconv.Itoa(n % 2) }

var (
	named    = regexp.MustCompile(`(^|_)(?i:date|time|at|on|day|birthday|deadline|timestamp)$|[a-z](Date|Time|At|On)$`)
	switched = regexp.MustCompile(`(?i)^(is|has|can|should|was)_|(?i)(enabled|disabled|active|deleted|archived|_flag)$`)
)

// values returns what a column may hold. The first is what a program would write; the
// others are for CHECKs that refuse it.
func (c *column) values() (values []candidate) {
	first, free := c.usual()
	c.free = free
	values = append(values, first)
	defer func() {
		values = slices.DeleteFunc(values, func(v candidate) bool { return !c.fits(v(1)) })
	}()
	if !c.checked {
		for _, l := range c.literals {
			values = append(values, constant(l))
		}
		return append(values, format("a%d"), integer)
	}
	values = append(values, c.fromChecks()...)
	values = append(values, constant("0"), constant("1"), integer, epoch, decimal, constant("''"),
		format("a%d"), format("A%d"), format("user%d@example.com"), format("https://example.com/%d"), format("/%d"),
		format("00000000-0000-4000-8000-%012d"), format("#%06x"),
		format(`{"n":%d}`), format(`[%d]`), format(`"s%d"`), constant("'{}'"), constant("'[]'"),
		format("%d"), constant("'a'"), constant("'A'"))
	for _, layout := range layouts {
		values = append(values, moment(layout))
	}
	values = append(values, blob)
	if c.nullable {
		values = append(values, constant("NULL"), constant("NULL"))
	}
	return values
}

// isSwitch reports whether the column holds truth values.
func (c *column) isSwitch() bool {
	return strings.Contains(c.kind, "BOOL") || c.affinity() == "INTEGER" && switched.MatchString(c.name)
}

// holdsJSON reports whether the name of the column or an expression says that it holds JSON.
func (c *column) holdsJSON() bool {
	return c.json || strings.Contains(sqltext.Fold(c.name), "json")
}

// fits reports whether a program would write the value into a column of this type.
func (c *column) fits(value string) bool {
	bytes := value[0] == 'x' || value[0] == 'X'
	text := !bytes && strings.ContainsAny(value, "'\"") // also as a call
	switch c.affinity() {
	case "INTEGER":
		return !text && !bytes && !strings.ContainsAny(value, ".eE") || value == "NULL"
	case "REAL", "NUMERIC":
		return !text && !bytes
	case "TEXT":
		return text || value == "NULL"
	}
	return bytes || c.checked || !strings.Contains(c.kind, "BLOB")
}

// affinity returns the affinity of the column, but "" where its type says that it is a
// time or JSON, which programs write in several ways.
//
// https://sqlite.org/datatype3.html#determination_of_column_affinity
func (c *column) affinity() string {
	for _, a := range []struct{ word, affinity string }{
		{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"}, {"BLOB", ""}, {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"},
		{"BOOL", "INTEGER"}, {"DEC", "NUMERIC"}, {"NUM", "NUMERIC"}, {"MONEY", "NUMERIC"},
	} {
		if strings.Contains(c.kind, a.word) {
			return a.affinity
		}
	}
	return ""
}

var layouts = []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05.000000Z", "2006-01-02 15:04:05.000",
	"2006-01-02T15:04:05-07:00", "2006-01-02T15:04:05", "2006-01-02 15:04", time.TimeOnly, "15:04", "2006-01", "2006", "20060102"}

// usual is what a program would write into a column of this type and name. free says that
// it could as well be any other text or number.
func (c *column) usual() (_ candidate, free bool) {
	name := sqltext.Fold(c.name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.kind, w) })
	}
	timed := named.MatchString(c.name)
	switch affinity := c.affinity(); {
	case c.isSwitch():
		return either, false
	case affinity == "INTEGER" && timed:
		return epoch, false
	case affinity == "INTEGER":
		return integer, true
	case affinity == "NUMERIC" && !has("(", "MONEY"): // such as a boolean
		return integer, true
	case affinity == "REAL", affinity == "NUMERIC":
		return decimal, true
	case has("BLOB"):
		return blob, false
	case has("JSON"), strings.Contains(name, "json"):
		return format(`{"n":%d}`), false
	case has("UUID", "GUID"):
		return format("00000000-0000-4000-8000-%012d"), false
	case c.kind == "DATE", timed && strings.HasSuffix(name, "date"), timed && strings.HasSuffix(name, "day"):
		return moment(time.DateOnly), false
	case c.kind == "TIME":
		return moment(time.TimeOnly), false
	case has("DATE", "TIME"), timed:
		return moment(time.DateTime), false
	case strings.Contains(name, "mail"):
		return format("user%d@example.com"), true
	}
	return format(strings.ReplaceAll(c.name, "%", "") + " %d"), true
}

// fromChecks makes candidates of the literals in CHECKs: themselves, their neighbors, texts of
// that length, and texts that match them as patterns or begin or end with them.
func (c *column) fromChecks() (values []candidate) {
	var chosen []string
	sizes, patterns := []int{0}, []string{"%"}
	for _, l := range c.literals {
		if l[0] == '\'' || l[0] == '"' {
			text := sqltext.Unquote(l)
			chosen = append(chosen, literal(text))
			patterns = append(patterns, text, text+"%", "%"+text)
			continue
		}
		values = append(values, constant(l))
		if k, err := strconv.ParseInt(l, 10, 64); err == nil {
			number := func(n int64) string { return strconv.FormatInt(n, 10) }
			values = append(values, constant(number(k+1)), constant(number(k-1)),
				func(n int) string { return number(k + int64(n)) }, func(n int) string { return number(k * int64(n)) })
			for size := int(min(k, 1000)); size <= int(min(k, 1000))+1; size++ {
				if size > 0 && len(sizes) < 12 {
					sizes = append(sizes, size)
					values = append(values, func(n int) string { return "x'" + last(fmt.Sprintf("%0*x", 2*size, n), 2*size) + "'" })
				}
			}
		} else if strings.ContainsAny(l, ".eE") {
			values = append(values, constant(l+"+0.5"), constant(l+"-0.5"))
		}
	}
	if len(chosen) > 1 { // such as those of IN
		values = append(values, func(n int) string { return chosen[n%len(chosen)] })
	}
	values = append(values, objects(chosen)...)
	for _, text := range chosen {
		values = append(values, constant(text))
	}
	for _, p := range patterns[:min(len(patterns), 40)] {
		for _, size := range sizes {
			for _, alphabet := range []string{digits, lower, strings.ToUpper(lower)} {
				values = append(values, matching(p, alphabet, size))
			}
		}
	}
	return values
}

// Allowed returns the literals in the CHECKs of a table, and texts as long as those say.
func Allowed(create string) (values []string) {
	for _, p := range partsOf(create) {
		for i := 0; p.check && i < len(p.literals); i++ {
			if n, err := strconv.Atoi(p.literals[i]); err == nil && p.names["length"] {
				values = append(values, TextOf(n))
			}
			values = append(values, p.literals[i])
		}
	}
	return values
}

// TextOf returns the SQL of a text of that length, or "" if nobody writes such a text.
func TextOf(length int) string {
	if length <= 0 || length > 1e6 {
		return ""
	}
	return fmt.Sprintf("printf('%%0%dd', 0)", length)
}

// objects makes candidates of the paths among texts: JSON that has them all, with one of the
// other texts or another value.
func objects(texts []string) (values []candidate) {
	isPath := func(text string) bool { return strings.HasPrefix(text, "'$.") }
	if !slices.ContainsFunc(texts, isPath) {
		return nil
	}
	object := func(value any) string {
		all := map[string]any{}
		for _, path := range texts {
			if isPath(path) {
				at, names := all, strings.Split(sqltext.Unquote(path), ".")[1:]
				for _, name := range names[:len(names)-1] {
					in, ok := at[name].(map[string]any)
					if !ok {
						in = map[string]any{}
						at[name] = in
					}
					at = in
				}
				at[names[len(names)-1]] = value
			}
		}
		b, _ := json.Marshal(all)
		return literal(string(b))
	}
	for _, text := range texts {
		values = append(values, constant(object(sqltext.Unquote(text))))
	}
	return append(values, func(n int) string { return object(n) }, func(n int) string { return object("s" + strconv.Itoa(n)) },
		func(n int) string { return object([]int{n}) }, func(n int) string { return object(map[string]int{"n": n}) })
}

// last returns the last n bytes of s.
func last(s string, n int) string { return s[max(0, len(s)-n):] }

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
)

// matching is a candidate for texts that match a pattern of LIKE or GLOB. Where it has "%"
// or "*" they have letters of the alphabet, as many as give the text its size.
//
// https://sqlite.org/lang_expr.html#the_like_glob_regexp_match_and_extract_operators
func matching(pattern, alphabet string, size int) candidate {
	glob := strings.ContainsAny(pattern, "*?[")
	many, one := byte('%'), byte('_')
	if glob {
		pattern = strings.Trim(pattern, "%") + strings.Repeat("*", strings.Count(last(pattern, 1), "%"))
		many, one = '*', '?'
	}
	return func(n int) string {
		next := func(from string) byte { // another letter for each number
			ch := from[n%len(from)]
			n /= len(from)
			return ch
		}
		var b strings.Builder
		filled := -1 // where letters of the alphabet go
		for i := 0; i < len(pattern); i++ {
			end := strings.IndexByte(pattern[min(i+2, len(pattern)):], ']') // "]" can be the first of a set
			switch ch := pattern[i]; {
			case ch == '\\' && !glob && i+1 < len(pattern) && strings.IndexByte(`%_\`, pattern[i+1]) >= 0: // ESCAPE
				i++
				b.WriteByte(pattern[i])
			case ch == many:
				filled = max(filled, b.Len())
			case ch == one:
				b.WriteByte(next(alphabet))
			case ch == '[' && glob && end >= 0:
				b.WriteByte(next(members(pattern[i+1 : i+2+end])))
				i += end + 2
			default:
				b.WriteByte(ch)
			}
		}
		text := b.String()
		if filled < 0 {
			return literal(text)
		}
		var fill []byte
		for len(text)+len(fill) < size || size == 0 && (n > 0 || len(fill) == 0) {
			fill = append(fill, next(alphabet))
		}
		slices.Reverse(fill)
		return literal(text[:filled] + string(fill) + text[filled:])
	}
}

// members returns the letters that a set in a GLOB pattern stands for.
func members(set string) string {
	in := strings.TrimPrefix(set, "^")
	var b strings.Builder
	for _, c := range digits + lower + strings.ToUpper(lower) + "-_. /:@" {
		found := false
		for i := 0; i < len(in); i++ {
			if i+2 < len(in) && in[i+1] == '-' {
				found = found || rune(in[i]) <= c && c <= rune(in[i+2])
				i += 2
			} else {
				found = found || rune(in[i]) == c
			}
		}
		if found == (in == set) {
			b.WriteRune(c)
		}
	}
	if b.Len() == 0 {
		return in[:1]
	}
	return b.String()
}
