package gen

import "testing"

// Correct migrations are not to be answered for.
func TestProveFindsNothingInTheExample(t *testing.T) {
	result, err := Generate(t.Context(), "../examples/notes/migrations", Options{Prove: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Error(Problems(result.Warnings))
	}
}
