// Interim: equality of texts until structure decides.
package sqltext

import (
	"strings"
)

func ParseSchema(s string) ([]Object, error) {
	var out []Object
	for _, l := range strings.Split(s, ";\n") {
		l = strings.TrimSpace(l)
		if l == "" {
			continue
		}
		f := strings.Fields(l)
		out = append(out, Object{Type: strings.ToLower(f[1]), Name: strings.Split(f[2], "(")[0], SQL: l})
	}
	return out, nil
}
func Diff(want, found []Object) (c []Difference, e []Object) {
	m := map[string]Object{}
	for _, o := range found {
		m[o.Name] = o
	}
	for _, w := range want {
		f, ok := m[w.Name]
		if !ok {
			c = append(c, Difference{Type: w.Type, Name: w.Name, Want: w.SQL, Detail: w.Type + " " + w.Name + ": missing"})
		} else if f.SQL != w.SQL {
			c = append(c, Difference{Type: w.Type, Name: w.Name, Want: w.SQL, Found: f.SQL, Detail: w.Type + " " + w.Name + ": differs"})
		}
	}
	return
}
func FormatSchema(objects []Object) string {
	var b strings.Builder
	for _, o := range objects {
		b.WriteString(o.SQL + ";\n")
	}
	return b.String()
}
func Fingerprint(objects []Object) string { return Parse(FormatSchema(objects)).Checksum() }
