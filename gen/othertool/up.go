package othertool

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// breakpoint is what drizzle writes between statements.
var breakpoint = re(`--> statement-breakpoint[^\n]*`)

// outside is what atlas has in the head of a file.
var outside = re(`(?m)^--\s*atlas:txmode\s+none\b`)

// up sets what the text of a file has for lockstep: the statements that go up, without
// annotations, each with its end.
func (t *Tool) up(m *Migration, text string) {
	m.Text = text
	if m.Ext != ".sql" {
		return
	}
	switch {
	case t.annotation != nil:
		t.annotated(m)
	case t.Name == "drizzle":
		m.Text = ""
		for _, statement := range breakpoint().Split(text, -1) {
			m.Text += strings.TrimRight(ended(statement), " \t\n") + "\n"
		}
	default:
		first, rest, _ := strings.Cut(text, "\n")
		if strings.HasPrefix(first, "-- no-transaction") { // sqlx
			m.Alone, m.Text = true, rest
		}
		m.Alone = m.Alone || outside().MatchString(text)
	}
	m.Text = strings.Trim(m.Text, "\n") + "\n"
}

// annotated takes the part of a file that goes up out of its annotations.
func (t *Tool) annotated(m *Migration) {
	var text, block strings.Builder // block is a statement that an annotation ends
	up, begun, out := false, false, &text
	for line := range strings.Lines(m.Text) {
		says := t.annotation().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if says == nil {
			if up || !begun && strings.HasPrefix(strings.TrimSpace(line), "--") {
				out.WriteString(line)
			}
			continue
		}
		words := strings.Fields(strings.ToLower(says[1]))
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "up":
			up, begun = true, true
			m.Alone = m.Alone || strings.Contains(says[1], "notransaction") || strings.Contains(says[1], "transaction:false")
		case "down":
			up, begun = false, true
		case "statementbegin":
			out = &block
		case "statementend":
			out = &text
			text.WriteString(ended(block.String()))
			block.Reset()
		case "no": // TRANSACTION
			m.Alone = true
		case "envsub":
			if words[len(words)-1] == "on" {
				m.Notes = append(m.Notes, "goose puts variables of its environment in here (ENVSUB); write their values")
			}
		}
	}
	text.WriteString(block.String())
	m.Text = text.String()
}

// ended returns the text with a semicolon after its last statement.
func ended(text string) string {
	tokens := sqltext.Parse(text).Tokens
	if n := len(tokens); n > 0 {
		if last := tokens[n-1]; text[last.Pos:last.End] != ";" {
			return text[:last.End] + ";" + text[last.End:]
		}
	}
	return text
}
