// Package pages is what the pages that anybody may see have in common, whichever
// role serves them: their look, the choice of their language, the strict reading
// of their words, and the headers that keep them out of caches, frames and search
// engines. The pages use neither JavaScript nor cookies.
package pages

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// Languages in the order in which pages offer them; the first is the default
// (Llei 6/2024: Catalan is the language of the public institutions).
var Languages = []string{"ca", "es", "fr", "pt", "en"}

var matcher = func() language.Matcher {
	tags := make([]language.Tag, len(Languages))
	for i, tag := range Languages {
		tags[i] = language.MustParse(tag)
	}
	return language.NewMatcher(tags)
}()

// Chosen is the language of an answer: ?lang= when it is one of ours, else the
// best of Accept-Language, else Catalan. asked says that it was the first.
func Chosen(r *http.Request) (tag string, asked bool) {
	lang := r.URL.Query().Get("lang")
	for _, tag := range Languages {
		if lang == tag {
			return tag, true
		}
	}
	_, i := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	return Languages[i], false
}

//go:embed frame.html
var frameHTML string

// Template reads a page. It begins with {{template "head" .}}, for which its data
// have Title, Institution, Style and Icon; {{template "sign" NAME}} is the sign of an answer.
func Template(page string) (*template.Template, error) {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return nil, err
	}
	return t.Parse(frameHTML)
}

// Fill puts values into a text: Fill("fins al {date}", "date", "…").
func Fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

// ReadWords reads locales/<tag>.json of every language. One that has a key too
// many or an empty text, or that judge finds fault with, is an error.
func ReadWords[W any](files fs.FS, judge func(*W) error) (map[string]*W, error) {
	all := make(map[string]*W, len(Languages))
	for _, tag := range Languages {
		file := "locales/" + tag + ".json"
		body, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		w, err := ReadLocale(body, judge)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[tag] = w
	}
	return all, nil
}

// ReadLocale reads one locale file as ReadWords does.
func ReadLocale[W any](body []byte, judge func(*W) error) (*W, error) {
	var w W
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&w); err != nil {
		return nil, err
	}
	if err := judge(&w); err != nil {
		return nil, err
	}
	if hole := emptyText(reflect.ValueOf(w), ""); hole != "" {
		return nil, fmt.Errorf("no text at %s", hole)
	}
	return &w, nil
}

// emptyText returns the path of the first text, list or table in v that is
// empty, or "".
func emptyText(v reflect.Value, path string) string {
	switch v.Kind() {
	case reflect.String:
		if strings.TrimSpace(v.String()) == "" {
			return path
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if hole := emptyText(v.Field(i), path+"/"+v.Type().Field(i).Tag.Get("json")); hole != "" {
				return hole
			}
		}
	case reflect.Array, reflect.Slice:
		if v.Len() == 0 {
			return path
		}
		for i := range v.Len() {
			if hole := emptyText(v.Index(i), path+"/"+strconv.Itoa(i)); hole != "" {
				return hole
			}
		}
	case reflect.Map:
		if v.Len() == 0 {
			return path
		}
		for _, key := range v.MapKeys() {
			if hole := emptyText(v.MapIndex(key), path+"/"+key.String()); hole != "" {
				return hole
			}
		}
	}
	return ""
}

// Guard sets on every answer, errors of the router included, the headers that
// keep it out of caches, frames, search engines and Referer.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		next.ServeHTTP(w, r)
	})
}
