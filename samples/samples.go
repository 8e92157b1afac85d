// Package samples holds requests for every kind of document: what the sandbox
// issues, the tests prove and a newcomer copies. Nobody in them exists; their
// identifiers are those that may safely be made up.
//
// A kind has a folder. standard.json is the plain case, the others are hard in
// their own way and named for it; refused/ holds what must be refused, with the
// problem that is expected. Where a document is bilingual and its data decide the
// second language, the plain case has a file for it: standard.ca-fr.json.
package samples

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"segell/templates"
)

//go:embed */*.json */refused/*.json
var files embed.FS

// Standard is the name of the sample that every kind has.
const Standard = "standard"

// Sample is a request that is issued.
type Sample struct {
	Kind      string
	Name      string   // of its file, without language and .json
	Language  string   // that the body asks for
	Languages []string // in which it can be asked for
	Body      []byte
}

// In is the sample in another language.
func (s Sample) In(language string) Sample {
	// Edited as text: the body keeps its order, and is what a portal would send.
	was, err := json.Marshal(s.Language)
	if err != nil {
		panic("samples: " + err.Error())
	}
	is, err := json.Marshal(language)
	if err != nil {
		panic("samples: " + err.Error())
	}
	old := fmt.Appendf(nil, `"language": %s`, was)
	if bytes.Count(s.Body, old) != 1 {
		panic("samples: " + s.Kind + "/" + s.Name + " does not name its language once, as \"language\": …")
	}
	s.Body = bytes.Replace(s.Body, old, fmt.Appendf(nil, `"language": %s`, is), 1)
	s.Language = language
	return s
}

// All gives every sample as it lies in its file, by kind and name.
func All() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for name, body := range read(func(dir string) bool { return !strings.HasSuffix(dir, "/refused") }) {
			var asked struct {
				Language string `json:"language"`
			}
			if err := json.Unmarshal(body, &asked); err != nil {
				panic("samples: " + name + ": " + err.Error())
			}
			stem, own, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".")
			s := Sample{Kind: path.Dir(name), Name: stem, Language: asked.Language, Body: body}
			if own != "" && own != s.Language {
				panic("samples: " + name + " asks for another language than its name says")
			}
			s.Languages = s.languages(own)
			if !yield(s) {
				return
			}
		}
	}
}

// languages are all of the kind's for the plain case, but those with a file of
// their own. A bilingual sample stays as it is, for its data go with its language.
func (s Sample) languages(own string) []string {
	k, ok := templates.Lookup(s.Kind)
	if !ok || own != "" || s.Name != Standard && bilingual(s.Language) {
		return []string{s.Language}
	}
	var all []string
	for _, l := range k.Languages {
		_, err := fs.Stat(files, s.Kind+"/"+Standard+"."+l+".json")
		if s.Name == Standard && err != nil || s.Name != Standard && !bilingual(l) {
			all = append(all, l)
		}
	}
	return all
}

func bilingual(language string) bool { return strings.Contains(language, "-") }

// Issued gives what the sandbox issues: the standard sample of a kind in each of
// its languages, the others in their own.
func Issued() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for s := range All() {
			languages := []string{s.Language}
			if s.Name == Standard {
				languages = s.Languages
			}
			for _, l := range languages {
				if !yield(s.In(l)) {
					return
				}
			}
		}
	}
}

// FileName is how the sandbox names the sealed file of a sample:
// coverage_certificate.ca.pdf, coverage_certificate.cover_ended.ca.pdf.
func (s Sample) FileName() string {
	if s.Name == Standard {
		return s.Kind + "." + s.Language + ".pdf"
	}
	return s.Kind + "." + s.Name + "." + s.Language + ".pdf"
}

// Refused is a request that must be refused, and how.
type Refused struct {
	Kind, Name string
	Why        string
	Body       []byte
	Status     int
	Faults     []string // JSON pointers, in any order
}

// AllRefused gives every request that must be refused.
func AllRefused() iter.Seq[Refused] {
	return func(yield func(Refused) bool) {
		for name, file := range read(func(dir string) bool { return strings.HasSuffix(dir, "/refused") }) {
			var f struct {
				Why     string          `json:"why"`
				Request json.RawMessage `json:"request"`
				Problem struct {
					Status int      `json:"status"`
					Faults []string `json:"faults"`
				} `json:"problem"`
			}
			d := json.NewDecoder(bytes.NewReader(file))
			d.DisallowUnknownFields()
			if err := d.Decode(&f); err != nil {
				panic("samples: " + name + ": " + err.Error())
			}
			r := Refused{
				Kind: path.Dir(path.Dir(name)), Name: strings.TrimSuffix(path.Base(name), ".json"),
				Why: f.Why, Body: f.Request, Status: f.Problem.Status, Faults: f.Problem.Faults,
			}
			if !yield(r) {
				return
			}
		}
	}
}

// read gives the files of the folders that are wanted, in order of their names: standard.json before standard.ca-fr.json.
func read(want func(dir string) bool) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		var names []string
		err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && want(path.Dir(p)) {
				names = append(names, p)
			}
			return err
		})
		if err != nil {
			panic("samples: " + err.Error())
		}
		stem := func(name string) string { return strings.TrimSuffix(name, ".json") }
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(stem(a), stem(b)) })
		for _, n := range names {
			body, err := files.ReadFile(n)
			if err != nil {
				panic("samples: " + err.Error())
			}
			if !yield(n, body) {
				return
			}
		}
	}
}
