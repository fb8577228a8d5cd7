package gomod

import (
	"slices"
	"testing"
)

func TestDrivers(t *testing.T) {
	tests := []struct {
		claim string
		m     *Module
		want  []string
	}{
		{"AreNoneByDefault", &Module{}, nil},
		{"AreThoseThatAreRequired", &Module{Direct: []string{"x", Modernc}, Indirect: []string{Ncruces}}, []string{Modernc}},
		{"AreWhatWasJustAdded", &Module{Indirect: []string{Mattn, Ncruces}}, []string{Mattn}},
		{"AreNotAnotherOnes", &Module{Direct: []string{Ncruces}, Indirect: []string{Mattn}}, []string{Ncruces}},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := tt.m.Drivers(); !slices.Equal(got, tt.want) {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}
