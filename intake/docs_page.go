package intake

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The readable page of the API is drawn here from its description, so that it is
// never behind it, and loads nothing from elsewhere.

//go:embed docs_page.html
var docsPage string

//go:embed docs_page.css
var docsStyle []byte

// docsView is what the page shows.
type docsView struct {
	Title, Version string
	About          []string
	Groups         []docsGroup
}

type docsGroup struct {
	Name, About string
	Operations  []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, About, Scopes string
	Parameters                               []docsField
	Media                                    []string // of the body
	Fields                                   []docsField
	Examples                                 []docsExample
	Answers                                  []docsAnswer
}

type docsField struct {
	Name, Type, About string
	Required          bool
}

type docsExample struct{ Name, Text string }

type docsAnswer struct {
	Status, About, Media string
	Headers, Fields      []docsField
}

// registerDocs draws the page once, from the operations registered before.
func (a *API) registerDocs(mux *http.ServeMux) error {
	page, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return fmt.Errorf("intake: the page of the API: %w", err)
	}
	var body bytes.Buffer
	if err := page.Execute(&body, a.docs()); err != nil {
		return fmt.Errorf("intake: the page of the API: %w", err)
	}
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		writePage(w, a.api.OpenAPI().Info.Title, body.String())
	})
	mux.HandleFunc("GET /docs/style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(docsStyle) // the reader may be gone
	})
	return nil
}

func (a *API) docs() docsView {
	description := a.api.OpenAPI()
	view := docsView{Title: description.Info.Title, Version: description.Info.Version, About: strings.Split(description.Info.Description, "\n\n")}
	for _, tag := range description.Tags {
		group := docsGroup{Name: tag.Name, About: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(description.Paths)) {
			item := description.Paths[path]
			for _, o := range []*huma.Operation{item.Get, item.Post, item.Delete} {
				if o != nil && slices.Contains(o.Tags, tag.Name) {
					group.Operations = append(group.Operations, a.docsOf(path, o))
				}
			}
		}
		view.Groups = append(view.Groups, group)
	}
	return view
}

func (a *API) docsOf(path string, o *huma.Operation) docsOperation {
	view := docsOperation{ID: o.OperationID, Method: o.Method, Path: path, Summary: o.Summary, About: o.Description, Scopes: strings.Join(scopesOf(o), ", ")}
	for _, p := range o.Parameters {
		view.Parameters = append(view.Parameters, docsField{Name: p.Name, Type: p.In + ", " + a.typeOf(p.Schema), About: p.Description, Required: p.Required})
	}
	if o.RequestBody != nil {
		view.Media = slices.Sorted(maps.Keys(o.RequestBody.Content))
		first := o.RequestBody.Content[view.Media[0]]
		view.Fields = a.fields(first.Schema, "", nil)
		if first.Example != nil {
			view.Examples = append(view.Examples, docsExample{"Example", exampleText(first.Example)})
		}
		for _, name := range slices.Sorted(maps.Keys(first.Examples)) {
			view.Examples = append(view.Examples, docsExample{first.Examples[name].Summary, exampleText(first.Examples[name].Value)})
		}
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		r := o.Responses[status]
		answer := docsAnswer{Status: status, About: r.Description, Media: strings.Join(slices.Sorted(maps.Keys(r.Content)), ", ")}
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			answer.Headers = append(answer.Headers, docsField{Name: name, Type: a.typeOf(r.Headers[name].Schema), About: r.Headers[name].Description})
		}
		if status < "300" && len(r.Content) > 0 {
			for _, media := range r.Content {
				within := media.Schema
				if each, ok := within.Extensions["contentSchema"].(*huma.Schema); ok {
					within = each
				}
				answer.Fields = a.fields(within, "", nil)
			}
		}
		view.Answers = append(view.Answers, answer)
	}
	return view
}

func exampleText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// resolved follows references.
func (a *API) resolved(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = a.api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// fields are the members of a schema and of those within it, by their path.
func (a *API) fields(s *huma.Schema, at string, within []*huma.Schema) (out []docsField) {
	s = a.resolved(s)
	if s == nil || slices.Contains(within, s) {
		return nil
	}
	within = append(within, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		member := s.Properties[name]
		whole := a.resolved(member)
		about := member.Description
		if about == "" {
			about = whole.Description
		}
		out = append(out, docsField{Name: at + name, Type: a.typeOf(member), About: about, Required: slices.Contains(s.Required, name)})
		if whole.Items != nil {
			out = append(out, a.fields(whole.Items, at+name+"[].", within)...)
		} else {
			out = append(out, a.fields(member, at+name+".", within)...)
		}
	}
	return out
}

// typeOf says in a few words what a value may be.
func (a *API) typeOf(s *huma.Schema) string {
	s = a.resolved(s)
	if s == nil {
		return ""
	}
	words := []string{s.Type}
	if s.Items != nil {
		words = []string{"list of " + a.typeOf(s.Items)}
	}
	if s.Format != "" {
		words = append(words, s.Format)
	}
	switch {
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		words = append(words, "one of "+strings.Join(values, ", "))
	case s.PatternDescription != "":
		words = append(words, s.PatternDescription)
	case s.Pattern != "":
		words = append(words, "pattern "+s.Pattern)
	}
	return strings.Join(words, "; ")
}
