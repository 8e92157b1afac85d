package intake_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"segell/access"
	"segell/docs"
	"segell/intake"
	"segell/templates"
)

// The registry of problems and docs/problems say the same, and every page is served.
func TestEveryProblemHasItsPage(t *testing.T) {
	d := newDoor(t)
	pages := map[string]bool{}
	files, err := fs.Glob(docs.Problems, "problems/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		pages[strings.TrimSuffix(strings.TrimPrefix(file, "problems/"), ".md")] = true
	}
	for kind, row := range intake.Problems() {
		if !pages[kind] {
			t.Errorf("docs/problems/%s.md is missing", kind)
			continue
		}
		delete(pages, kind)
		text, err := docs.Problems.ReadFile("problems/" + kind + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if begin := fmt.Sprintf("# %s\n\nHTTP status %d, type `%s`.\n", row.Title, row.Status, kind); !strings.HasPrefix(string(text), begin) || !strings.Contains(string(text), "## What to do") {
			t.Errorf("docs/problems/%s.md must begin with %q and say what to do", kind, begin)
		}
		page := d.ask("GET", "/problems/"+kind, "", without("Authorization"))
		if page.status != 200 || !strings.Contains(page.body, "<h2>What to do</h2>") || strings.Contains(page.body, "`") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("/problems/%s: %d %v %s", kind, page.status, page.header, page.body)
		}
	}
	for kind := range pages {
		t.Errorf("docs/problems/%s.md is the page of no problem", kind)
	}
}

// operation is what the test reads of an operation of the description.
type operation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          []map[string][]string
	Parameters                        []struct{ Name, In, Description string }
	RequestBody                       *struct {
		Content map[string]struct {
			Schema   map[string]any
			Example  any
			Examples map[string]struct{ Value json.RawMessage }
		}
	}
	Responses map[string]struct {
		Description string
		Content     map[string]json.RawMessage
	}
}

// The description is complete, and it is true: what it shows as examples the door
// takes, and what it calls a problem is one.
func TestTheDescriptionIsCompleteAndTrue(t *testing.T) {
	d := newDoor(t)
	var description struct {
		Info  struct{ Title, Description, Version string }
		Tags  []struct{ Name string }
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal([]byte(d.ask("GET", "/openapi.json", "").body), &description); err != nil {
		t.Fatal(err)
	}
	page := d.ask("GET", "/docs", "", without("Authorization"))
	if page.status != 200 || strings.Contains(page.body, "<script") || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(page.body) {
		t.Errorf("the page of the API is %d, or loads something from elsewhere", page.status)
	}
	if style := d.ask("GET", "/docs/style.css", "", without("Authorization")); style.status != 200 || style.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("its style: %d %v", style.status, style.header)
	}
	var tags []string
	for _, tag := range description.Tags {
		tags = append(tags, tag.Name)
	}
	ids, kinds := map[string]bool{}, map[string]bool{}
	for path, operations := range description.Paths {
		for method, o := range operations {
			where := strings.ToUpper(method) + " " + path
			if o.OperationID == "" || ids[o.OperationID] || o.Summary == "" || o.Description == "" || len(o.Tags) != 1 || !slices.Contains(tags, o.Tags[0]) {
				t.Errorf("%s is described by halves: %+v", where, o)
			}
			ids[o.OperationID] = true
			if len(o.Security) != 1 || len(o.Security[0]["token"]) == 0 || !slices.Contains(access.Scopes(), o.Security[0]["token"][0]) {
				t.Errorf("%s names no scope", where)
			}
			for _, p := range o.Parameters {
				if p.Description == "" {
					t.Errorf("%s: the parameter %s is not described", where, p.Name)
				}
			}
			for _, status := range []string{"401", "403", "429", "500", "503"} {
				if _, ok := o.Responses[status]; !ok {
					t.Errorf("%s does not say that it may answer %s", where, status)
				}
			}
			for status, r := range o.Responses {
				if r.Description == "" {
					t.Errorf("%s: %s is not described", where, status)
				}
				if media := slices.Collect(maps.Keys(r.Content)); status >= "400" && !slices.Equal(media, []string{"application/problem+json"}) {
					t.Errorf("%s: %s is answered as %v", where, status, media)
				}
			}
			if !strings.Contains(page.body, `id="`+o.OperationID+`"`) {
				t.Errorf("%s is not on the page", where)
			}
			kind := strings.TrimPrefix(path, "/v1/documents/")
			if o.RequestBody == nil || kind == path || kind == "batch" {
				continue
			}
			kinds[kind] = true
			examples := o.RequestBody.Content["application/json"].Examples
			if len(examples) == 0 {
				t.Errorf("%s has no example", where)
			}
			for name, example := range examples {
				if a := d.ask("POST", path, string(example.Value)); a.status != http.StatusAccepted {
					t.Errorf("%s: the example %s is answered %d %s", where, name, a.status, a.body)
				}
			}
		}
	}
	for _, kind := range templates.Kinds() {
		if !kinds[kind.ID] {
			t.Errorf("the kind %s is not described", kind.ID)
		}
		if kind.ID == "batch" {
			t.Error("a kind has the name of an address")
		}
	}
	batch := description.Paths["/v1/documents/batch"]["post"].RequestBody.Content["application/jsonl"].Example
	if results := lines(t, d.ask("POST", batchPath, fmt.Sprint(batch), with("Content-Type", "application/jsonl"))); len(results) != 2 || results[0]["status"] != 202.0 || results[1]["status"] != 422.0 {
		t.Errorf("the example of a batch gives %v", results)
	}
}
