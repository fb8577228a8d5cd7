package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPages uses the notebook like a person, step by step.
func TestPages(t *testing.T) {
	site := httptest.NewServer(Handler(openStore(t, filepath.Join(t.TempDir(), "notes.db"))))
	defer site.Close()

	bread := url.Values{"title": {"Bread"}, "body": {"Flour, water <salt>\r\n18 hours"}, "tags": {"kitchen, weekend"}}
	const missing = "There is no such note / It may have been deleted in another tab."
	const typed = " / Save makes a new note of what you typed. / [Bread] / Flour, water <salt> / 18 hours / [kitchen, weekend] / Save"
	steps := []struct {
		claim string
		path  string
		form  url.Values // posted, if there is one
		code  int
		at    string // where redirects have led
		main  string // the text of the page, without its frame
	}{
		{"BeginsEmpty", "/", nil, 200, "/", "Notes / No notes yet. / Write the first."},
		{"SavesANote", "/notes/new", bread, 200, "/notes/1", "[Bread] / Flour, water <salt> / 18 hours / [kitchen, weekend] / Save / Archive"},
		{"GivesANoteWithoutTitleOne", "/notes/new", url.Values{"body": {"milk"}}, 200, "/notes/2", "[Untitled] / milk / [] / Save / Archive"},
		{"ListsByTag", "/?tag=KITCHEN", nil, 200, "/?tag=KITCHEN", "Notes tagged KITCHEN / Bread / Flour, water <salt> / 18 hours / TIME / kitchen / weekend"},
		{"FindsTheBeginningsOfWords", "/search?q=hou+flo", nil, 200, "/search?q=hou+flo", "Search / Bread / Flour / , water <salt> / 18 / hours / TIME / kitchen / weekend"},
		{"FindsNothingWithoutAWord", "/search?q=+", nil, 200, "/search?q=+", "Search / No result."},
		{"TakesANULForTheEndOfAWord", "/search?q=%00hou%00flo%00", nil, 200, "/search?q=%00hou%00flo%00", "Search / Bread / Flour / , water <salt> / 18 / hours / TIME / kitchen / weekend"},
		{"FindsNothingButANUL", "/search?q=%00", nil, 200, "/search?q=%00", "Search / No result."},
		{"ListsNoNoteOfATagThatNoneHas", "/?tag=x%00", nil, 200, "/?tag=x%00", "Notes tagged x\ufffd / No note has this tag."},
		{"FindsNothing", "/search?q=rye", nil, 200, "/search?q=rye", "Search / No notes match “rye”."},
		{"ChangesANote", "/notes/1", url.Values{"title": {"Bread"}, "body": {"Rye"}, "tags": {"kitchen"}}, 200, "/notes/1", "[Bread] / Rye / [kitchen] / Save / Archive / Bread, as of TIME / Flour, water <salt> / 18 hours"},
		{"ArchivesANote", "/notes/1/archive", url.Values{}, 200, "/notes/1", "[Bread] / Rye / [kitchen] / Save / Unarchive / Delete / Bread, as of TIME / Flour, water <salt> / 18 hours"},
		{"HidesWhatIsArchived", "/", nil, 200, "/", "Notes / Untitled / milk / TIME"},
		{"ListsTheArchive", "/archive", nil, 200, "/archive", "Archive / Bread / Rye / TIME / kitchen"},
		{"SearchesTheArchiveToo", "/search?q=rye", nil, 200, "/search?q=rye", "Search / Bread / Rye / TIME / kitchen / archived"},
		{"TakesANoteOutOfTheArchive", "/notes/1/restore", url.Values{}, 200, "/notes/1", "[Bread] / Rye / [kitchen] / Save / Archive / Bread, as of TIME / Flour, water <salt> / 18 hours"},
		{"KeepsWhatWasTypedBeforeArchive", "/notes/2/archive", url.Values{"title": {""}, "body": {"oat milk"}, "tags": {"shop"}}, 200, "/notes/2", "[Untitled] / oat milk / [shop] / Save / Unarchive / Delete / Untitled, as of TIME / milk"},
		{"KeepsWhatWasTypedBeforeUnarchive", "/notes/2/restore", url.Values{"title": {"Shop"}, "body": {"oat milk"}, "tags": {""}}, 200, "/notes/2", "[Shop] / oat milk / [] / Save / Archive / Untitled, as of TIME / oat milk / Untitled, as of TIME / milk"},
		{"DeletesANote", "/notes/1/delete", bread, 200, "/", "Notes / Shop / oat milk / TIME"},
		{"DoesNotFindADeletedNote", "/notes/1", nil, 404, "/notes/1", missing},
		{"DoesNotFindANoteThatIsNoNumber", "/notes/one", nil, 404, "/notes/one", missing},
		{"DoesNotDeleteANoteTwice", "/notes/1/delete", url.Values{}, 404, "/notes/1/delete", missing},
		{"GivesBackWhatWasTypedInADeletedNote", "/notes/1", bread, 404, "/notes/1", missing + typed},
		{"GivesItBackBeforeArchiveToo", "/notes/1/archive", bread, 404, "/notes/1/archive", missing + typed},
		{"SavesItAsANewNote", "/notes/new", bread, 200, "/notes/3", "[Bread] / Flour, water <salt> / 18 hours / [kitchen, weekend] / Save / Archive"},
	}
	for _, step := range steps {
		t.Run(step.claim, func(t *testing.T) {
			got := visit(t, site.URL, step.path, step.form)
			want := fmt.Sprint(step.code, " ", step.at, ": ", step.main)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	t.Run("RefusesTheFormOfAnotherSite", func(t *testing.T) {
		req, err := http.NewRequest("POST", site.URL+"/notes/2/delete", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://elsewhere.example")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("got %s, want 403", res.Status)
		}
	})
}

// visit gets a page, or posts a form, and returns the status, where redirects have led and
// the text of the page, without its frame.
func visit(t *testing.T, site, path string, form url.Values) string {
	t.Helper()
	res, err := http.Get(site + path)
	if form != nil {
		res, err = http.PostForm(site+path, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", res.Request.URL.RequestURI(), ": ", text(string(page)))
}

// text returns the text in the main part of a page, with " / " between its pieces and
// the contents of fields in brackets.
func text(page string) string {
	if _, main, ok := strings.Cut(page, "<main>"); ok {
		page, _, _ = strings.Cut(main, "</main>")
	}
	for _, r := range []struct{ pattern, with string }{
		{`<input [^>]*value="([^"]*)"[^>]*>`, "\n[$1]\n"},
		{`<[^>]*>`, "\n"},
		{`\d+ [A-Z][a-z]+ \d{4}, \d\d:\d\d`, "TIME"},
		{`\s*\n\s*`, " / "},
	} {
		page = regexp.MustCompile(r.pattern).ReplaceAllString(strings.TrimSpace(page), r.with)
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`).Replace(page)
}
