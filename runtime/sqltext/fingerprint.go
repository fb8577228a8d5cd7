package sqltext

// Fingerprint returns a fingerprint of the schema that [FormatSchema] would write:
// "s1:" and the first 128 bits of a SHA-256, in hexadecimal, over the type, name and
// tokens of each object. Quotes, case, spaces and comments do not count; every byte
// of a string literal does. Schemas with different fingerprints can be the same to
// [Diff].
func Fingerprint(objects []Object) string {
	var buf []byte
	for _, o := range inOrder(objects) {
		buf = append(append(buf, o.Type...), 0)
		buf = append(append(buf, Fold(o.Name)...), 0)
		for _, l := range lex(o.SQL) {
			buf = append(append(buf, l.key...), 0)
		}
		buf = append(buf, 0, 0)
	}
	return digest("s1:", buf)
}
