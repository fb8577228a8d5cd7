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
	Query string // the search

	Archive   bool // Notes are those in the archive
	Notes     []Note
	Note      Note
	Revisions []Revision
}

type server struct{ store *Store }

// Handler serves the notebook.
func Handler(store *Store) http.Handler {
	s := server{store}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", handler(s.list))
	mux.Handle("GET /archive", handler(s.archive))
	mux.Handle("GET /search", handler(s.search))
	mux.Handle("GET /notes/new", handler(s.compose))
	mux.Handle("POST /notes/new", handler(s.save))
	mux.Handle("GET /notes/{id}", handler(s.note))
	mux.Handle("POST /notes/{id}", handler(s.save))
	mux.Handle("POST /notes/{id}/archive", handler(s.setArchived(true)))
	mux.Handle("POST /notes/{id}/restore", handler(s.setArchived(false)))
	mux.Handle("POST /notes/{id}/delete", handler(s.delete))
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web, "web/style.css")
	})
	// Refuse forms posted from other sites.
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s server) list(w http.ResponseWriter, r *http.Request) error {
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

func (s server) archive(w http.ResponseWriter, r *http.Request) error {
	notes, err := s.store.Notes(r.Context(), "", true)
	if err != nil {
		return err
	}
	return s.show(w, r, "list.html", view{Title: "Archive", Archive: true, Notes: notes})
}

func (s server) search(w http.ResponseWriter, r *http.Request) error {
	query := r.FormValue("q")
	notes, err := s.store.Search(r.Context(), query)
	if err != nil {
		return err
	}
	return s.show(w, r, "list.html", view{Title: "Search", Query: query, Notes: notes})
}

func (s server) compose(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, "note.html", view{Title: "New note"})
}

func (s server) note(w http.ResponseWriter, r *http.Request) error {
	id, err := noteID(r)
	if err != nil {
		return err
	}
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

func (s server) save(w http.ResponseWriter, r *http.Request) error {
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
	if r.PathValue("id") != "" {
		id, err := noteID(r)
		if err != nil {
			return err
		}
		note.ID = id
	}
	id, err := s.store.Save(r.Context(), note)
	if err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprintf("/notes/%d", id), http.StatusSeeOther)
	return nil
}

func (s server) setArchived(archived bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := noteID(r)
		if err != nil {
			return err
		}
		if err := s.store.Archive(r.Context(), id, archived); err != nil {
			return err
		}
		http.Redirect(w, r, fmt.Sprintf("/notes/%d", id), http.StatusSeeOther)
		return nil
	}
}

func (s server) delete(w http.ResponseWriter, r *http.Request) error {
	id, err := noteID(r)
	if err != nil {
		return err
	}
	if err := s.store.Delete(r.Context(), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// noteID returns the ID in the request's path.
func noteID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("note %q: %w", r.PathValue("id"), ErrNoNote)
	}
	return id, nil
}

// show writes a whole page, or nothing.
func (s server) show(w http.ResponseWriter, r *http.Request, name string, v view) error {
	tags, err := s.store.Tags(r.Context())
	if err != nil {
		return err
	}
	v.Tags = tags
	var page bytes.Buffer
	if err := pages[name].Execute(&page, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = page.WriteTo(w)
	return err
}

// A handler answers a request, or returns an error.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch err := h(w, r); {
	case errors.Is(err, ErrNoNote):
		http.NotFound(w, r)
	case errors.Is(err, lockstep.ErrAhead):
		http.Error(w, "a newer version is running; reload", http.StatusServiceUnavailable)
	case err != nil && r.Context().Err() == nil:
		slog.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		http.Error(w, "internal error; see the log", http.StatusInternalServerError)
	}
}
