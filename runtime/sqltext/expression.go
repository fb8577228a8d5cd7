package sqltext

import (
	"slices"
	"strconv"
	"strings"
)

// An expression writes expressions in a form that is the same for whatever means the same:
// without needless parentheses, and with one spelling of each operator, number, string and
// name. What it does not understand keeps its tokens.
type expression struct {
	parser
	table bool                   // names are of columns of one table
	known func(name string) bool // reports whether something has the name
}

// form returns the form of an expression.
func (e *expression) form() string {
	if s := e.expr(1); !e.failed && e.at == len(e.lexemes) {
		return s
	}
	e.at, e.failed = 0, false
	return e.body()
}

// body takes a SELECT or the statements of a trigger, up to a parenthesis that closes them.
// Its expressions are those after WHERE, ON, WHEN and HAVING: the text of others can name the
// column of a view.
func (e *expression) body() string {
	var b strings.Builder
	for depth := 0; !e.done() && (depth > 0 || !e.peek(")")); {
		// These mean nothing.
		switch {
		case e.accept("for each row"):
			continue
		case e.peek("inner join"), e.peek("outer join"), e.peek("as") && !e.peek("as ("):
			e.at++
			continue
		}
		l := e.next()
		if e.isString(l) {
			l.key = l.text
		}
		b.WriteString(l.key + " ")
		switch l.key {
		case "(":
			depth++
		case ")":
			depth--
		case "where", "on", "when", "having":
			at := e.at
			s := e.expr(1)
			if e.failed || e.at < len(e.lexemes) && !isKeyword(e.lexemes[e.at].key) && !strings.Contains(";),", e.lexemes[e.at].text) {
				e.at, e.failed, s = at, false, ""
			}
			b.WriteString(s + " ")
		}
	}
	return b.String()
}

// isString reports whether double quotes make a string, because nothing has the name.
//
// https://sqlite.org/quirks.html#dblquote
func (e *expression) isString(l lexeme) bool {
	return l.text[0] == '"' && l.key[0] != '\'' && !e.peek(".") && !e.peek("(") && !e.known(Unquote(l.text))
}

// numeral returns the form of a number: its value, with an exponent if it is real.
func numeral(text string) (form string, ok bool) {
	digits := strings.ReplaceAll(text, "_", "")
	if hex, ok := strings.CutPrefix(Fold(digits), "0x"); ok {
		if n, err := strconv.ParseUint(hex, 16, 64); err == nil {
			return strconv.FormatInt(int64(n), 10), true
		}
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), true
	}
	if n, err := strconv.ParseFloat(digits, 64); err == nil {
		return strconv.FormatFloat(n, 'e', -1, 64), true
	}
	return text, false
}

// operators are those that bind more and more tightly.
//
// https://sqlite.org/lang_expr.html#operators_and_parse_affecting_attributes
var operators = []string{
	"or", "and", "not",
	"= == <> != is isnull notnull in like glob regexp match between",
	"< <= > >=", "& | << >>", "+ -", "* / %", "|| -> ->>", "collate",
}

const (
	bindsAnd = 2
	bindsNot = 3
	unary    = 11
)

// precedence says how tightly an operator binds. It is 0 for what is none.
func precedence(op string) int {
	return 1 + slices.IndexFunc(operators, func(same string) bool { return isOneOf(op, same) })
}

//go:noinline
func node(op string, operands ...string) string {
	return "(" + op + " " + strings.Join(operands, " ") + ")"
}

// expr takes an expression of operators that bind at least as tightly as least.
func (e *expression) expr(least int) string {
	left := e.operand()
	for !e.done() {
		at := e.at
		not := e.accept("not")
		op := ""
		if !e.done() {
			op = e.next().key
		}
		if not && op == "null" {
			op, not = "notnull", false
		}
		prec := precedence(op)
		if prec < max(least, 1) || op == "not" || not && !isOneOf(op, "in like glob regexp match between") {
			e.at = at
			return left
		}
		switch op {
		case "isnull", "notnull":
			not = op == "notnull"
			left = node("is", left, "null")
		case "is":
			not = e.accept("not")
			if e.accept("distinct from") {
				not = !not
			}
			begin := e.at
			right := e.expr(prec + 1)
			isWord := func(l lexeme) bool { return l.kind == Word }
			if (right == "1" || right == "0") && slices.ContainsFunc(e.lexemes[begin:e.at], isWord) {
				op = "is truth" // what IS TRUE asks for is not 1
			}
			left = node(op, left, right)
		case "in":
			e.expect("(")
			values, _ := e.list()
			left = node(op, left, "["+values+"]")
		case "between":
			low := e.expr(bindsAnd + 1)
			e.expect("and")
			left = node(op, left, low, e.expr(prec+1))
		case "collate":
			left = node(op, quoteFolded(e.name()), left)
		case "and", "or":
			left = node(op, flat(op, left), flat(op, e.expr(prec+1)))
		case "==", "<>", "!=":
			not = op != "=="
			left = node("=", left, e.expr(prec+1))
		default:
			left = node(op, left, e.expr(prec+1))
			if e.accept("escape") {
				left = node("escape", left, e.expr(prec+1))
			}
		}
		if not {
			left = node("not", left)
		}
	}
	return left
}

// flat takes the operator and its parentheses off: a AND (b AND c) is (a AND b) AND c.
//
//go:noinline
func flat(op, operand string) string {
	if inner, ok := strings.CutPrefix(operand, "("+op+" "); ok {
		return inner[:len(inner)-1]
	}
	return operand
}

// operand takes what comes between operators.
func (e *expression) operand() string {
	l, word := e.next(), ""
	if l.kind == Word {
		word = l.key
	}
	switch {
	case e.failed:
	case l.text == "(":
		s, one := e.list()
		if one {
			return s
		}
		return "[" + s + "]"
	case l.text == "+":
		x := e.expr(unary)
		if _, ok := numeral(x); ok || strings.HasPrefix(x, "'") {
			return x
		}
		return node("+", x)
	case l.text == "-":
		x := e.expr(unary)
		if n, ok := numeral(strings.TrimPrefix("-"+x, "--")); ok {
			return n
		}
		return node("-", x)
	case l.text == "~":
		return node("~", e.expr(unary))
	case l.kind == Number:
		s, _ := numeral(l.text)
		return s
	case l.kind == Blob, l.key[0] == '\'':
		return l.key
	case word == "not":
		return node("not", e.expr(bindsNot))
	case word == "exists" && e.accept("("):
		s, _ := e.list()
		return node("exists", s)
	case word == "case":
		return e.cases()
	case word == "true" && !e.known(word):
		return "1"
	case word == "false" && !e.known(word):
		return "0"
	case isValue(word) && word != "true" && word != "false":
		return word
	case l.kind == Word, l.kind == Quoted:
		return e.reference(l)
	}
	e.failed = true
	return ""
}

// list takes expressions and the parenthesis that closes them. one reports that it is one.
func (e *expression) list() (s string, one bool) {
	if e.peek("select") || e.peek("with") || e.peek("values") || e.peek(")") {
		s = e.body()
		e.expect(")")
		return s, false
	}
	for s, one = e.expr(1), true; e.accept(","); one = false {
		s += ", " + e.expr(1)
	}
	if e.accept("as") { // in CAST
		for s += " as"; !e.done() && !e.peek(")"); {
			s += " " + Name(e.next().text)
		}
	}
	e.expect(")")
	return s, one
}

// cases takes what follows CASE.
func (e *expression) cases() string {
	s := "case "
	if !e.peek("when") {
		s += e.expr(1)
	}
	for e.accept("when") {
		s += " when " + e.expr(1)
		e.expect("then")
		s += " then " + e.expr(1)
	}
	if e.accept("else") {
		s += " else " + e.expr(1)
	}
	e.expect("end")
	return "(" + s + ")"
}

// reference takes the rest of a name, or of a call of the function of that name.
func (e *expression) reference(l lexeme) string {
	if e.isString(l) {
		return "'" + strings.ReplaceAll(Unquote(l.text), "'", "''") + "'"
	}
	name := quoteFolded(Unquote(l.text))
	for e.accept(".") {
		last := quoteFolded(Unquote(e.next().text))
		if !e.table {
			last = name + "." + last
		}
		name = last
	}
	if e.accept("(") {
		arguments, _ := e.list()
		name += "[" + arguments + "]"
	}
	return name
}
