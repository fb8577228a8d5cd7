package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

//go:embed web
var web embed.FS

var pages = map[string]*template.Template{
	"list.html": page("list.html"),
	"note.html": page("note.html"),
	"demo.html": template.Must(template.ParseFS(web, "web/demo.html")),
}

// page parses a page's template into the frame that all pages share.
func page(name string) *template.Template {
	funcs := template.FuncMap{
		"join": func(tags []string) string { return strings.Join(tags, ", ") },
		"mark": mark,
	}
	return template.Must(template.New("frame.html").Funcs(funcs).ParseFS(web, "web/frame.html", "web/"+name))
}

// mark highlights the matches in an excerpt.
func mark(excerpt string) template.HTML {
	return template.HTML(strings.NewReplacer("\x02", "<mark>", "\x03", "</mark>").Replace(html.EscapeString(excerpt)))
}

// A view is what the templates show.
type view struct {
	Title string
	Tags  []Tag  // all tags in use
	Tag   string // the selected one
	Query string // what was searched for

	Search    bool // Notes are those found
	Archive   bool // Notes are those in the archive
	Notes     []Note
	Note      Note
	Revisions []Revision

	Demo    bool // link to the demo
	Missing bool // there is no such note; Note is what was typed
}

type server struct {
	store *Store
	demo  bool
}

// Handler serves the notebook.
func Handler(store *Store) http.Handler { return server{store: store}.handler() }

func (s server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.answer(s.list))
	mux.Handle("GET /archive", s.answer(s.archive))
	mux.Handle("GET /search", s.answer(s.search))
	mux.Handle("GET /notes/new", s.answer(s.compose))
	mux.Handle("POST /notes/new", s.answer(s.save))
	mux.Handle("GET /notes/{id}", s.answer(s.note))
	mux.Handle("POST /notes/{id}", s.answer(s.save))
	mux.Handle("POST /notes/{id}/archive", s.answer(s.setArchived(true)))
	mux.Handle("POST /notes/{id}/restore", s.answer(s.setArchived(false)))
	mux.Handle("POST /notes/{id}/delete", s.answer(s.delete))
	mux.HandleFunc("GET /style.css", style)
	// Refuse forms posted from other sites.
	return http.NewCrossOriginProtection().Handler(mux)
}

func style(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, web, "web/style.css") }

func (s server) list(w http.ResponseWriter, r *http.Request, _ int64) error {
	v := view{Title: "Notes", Tag: r.FormValue("tag")}
	if v.Tag != "" {
		v.Title = "Notes tagged " + v.Tag
	}
	notes, err := s.store.Notes(r.Context(), v.Tag, false)
	if err != nil {
		return err
	}
	v.Notes = notes
	return s.show(w, r, "list.html", v)
}

func (s server) archive(w http.ResponseWriter, r *http.Request, _ int64) error {
	notes, err := s.store.Notes(r.Context(), "", true)
	if err != nil {
		return err
	}
	return s.show(w, r, "list.html", view{Title: "Archive", Archive: true, Notes: notes})
}

func (s server) search(w http.ResponseWriter, r *http.Request, _ int64) error {
	query := strings.Join(words(r.FormValue("q")), " ")
	notes, err := s.store.Search(r.Context(), query)
	if err != nil {
		return err
	}
	return s.show(w, r, "list.html", view{Title: "Search", Search: true, Query: query, Notes: notes})
}

func (s server) compose(w http.ResponseWriter, r *http.Request, _ int64) error {
	return s.show(w, r, "note.html", view{Title: "New note"})
}

func (s server) note(w http.ResponseWriter, r *http.Request, id int64) error {
	note, err := s.store.Note(r.Context(), id)
	if err != nil {
		return err
	}
	revisions, err := s.store.Revisions(r.Context(), id)
	if err != nil {
		return err
	}
	return s.show(w, r, "note.html", view{Title: note.Title, Note: note, Revisions: revisions})
}

func (s server) save(w http.ResponseWriter, r *http.Request, id int64) error {
	note := typed(r)
	note.ID = id
	id, err := s.store.Save(r.Context(), note)
	if err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprintf("/notes/%d", id), http.StatusSeeOther)
	return nil
}

// typed returns the note in a form.
func typed(r *http.Request) Note {
	note := Note{
		Title: strings.TrimSpace(r.FormValue("title")),
		Body:  strings.ReplaceAll(r.FormValue("body"), "\r\n", "\n"), // browsers send CRLF
	}
	if note.Title == "" {
		note.Title = "Untitled"
	}
	for tag := range strings.SplitSeq(r.FormValue("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			note.Tags = append(note.Tags, tag)
		}
	}
	return note
}

func (s server) setArchived(archived bool) noteHandler {
	return func(w http.ResponseWriter, r *http.Request, id int64) error {
		var note *Note
		if n := typed(r); r.Form.Has("title") {
			n.ID, note = id, &n
		}
		if err := s.store.Archive(r.Context(), id, archived, note); err != nil {
			return err
		}
		http.Redirect(w, r, fmt.Sprintf("/notes/%d", id), http.StatusSeeOther)
		return nil
	}
}

func (s server) delete(w http.ResponseWriter, r *http.Request, id int64) error {
	if err := s.store.Delete(r.Context(), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// noteID returns the ID in the request's path, or 0 if the path has none.
func noteID(r *http.Request) (int64, error) {
	if r.PathValue("id") == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("note %q: %w", r.PathValue("id"), ErrNoNote)
	}
	return id, nil
}

// show writes a page of the notebook.
func (s server) show(w http.ResponseWriter, r *http.Request, name string, v view) (err error) {
	if v.Tags, err = s.store.Tags(r.Context()); err != nil {
		return err
	}
	v.Demo = s.demo
	code := http.StatusOK
	if v.Missing {
		code = http.StatusNotFound
	}
	return write(w, code, name, v)
}

// write writes a whole page, or nothing.
func write(w http.ResponseWriter, code int, name string, v any) error {
	var page bytes.Buffer
	if err := pages[name].Execute(&page, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, err := page.WriteTo(w)
	return err
}

// A noteHandler is a handler that is told the ID in the path.
type noteHandler func(w http.ResponseWriter, r *http.Request, id int64) error

// answer answers for a handler that finds no note, or a database that is no longer its own.
func (s server) answer(h noteHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := noteID(r)
		if err == nil {
			err = h(w, r, id)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrNoNote) {
			return errors.Join(err, s.store.Check(r.Context()))
		}
		v := view{Title: "There is no such note", Missing: true}
		if r.FormValue("title") != "" || r.FormValue("body") != "" {
			v.Note = typed(r)
		}
		return s.show(w, r, "note.html", v)
	}
}

// A handler answers a request, or returns an error.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch err := h(w, r); {
	case errors.Is(err, lockstep.ErrAhead):
		http.Error(w, "a newer version is running; reload", http.StatusServiceUnavailable)
	case err != nil && r.Context().Err() == nil:
		slog.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		http.Error(w, "internal error; see the log", http.StatusInternalServerError)
	}
}
