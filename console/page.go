package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"segell/pages"
	"segell/staff"
)

//go:embed templates
var templateFiles embed.FS

// look is what pages are made of, besides their words.
type look struct {
	own   *assets
	mark  *pages.Assets                            // the icon and the logo
	pages map[string]map[string]*template.Template // by language, then by name
}

// newLook reads every page in every language: the frame and the parts
// (templates/frame.html, templates/parts/*.html), with the page's own file, which
// defines "title" and "main".
func (c *Console) newLook() (*look, error) {
	l := &look{pages: map[string]map[string]*template.Template{}}
	var err error
	if l.own, err = newAssets(); err != nil {
		return nil, err
	}
	if l.mark, err = pages.NewAssets("/assets/", c.Logo); err != nil {
		return nil, err
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for tag, w := range c.words {
		l.pages[tag] = map[string]*template.Template{}
		frame, err := template.New("frame.html").Funcs(c.functions(w)).Option("missingkey=error").
			ParseFS(templateFiles, "templates/frame.html", "templates/parts/*.html")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if name == "frame" {
				continue
			}
			page, err := template.Must(frame.Clone()).ParseFS(templateFiles, file)
			if err != nil {
				return nil, err
			}
			l.pages[tag][name] = page
		}
	}
	return l, nil
}

// view is what a template sees.
type view struct {
	W           map[string]any // the words: .W.landing.title
	Lang        string
	Session     staff.Session
	In          bool // somebody is logged in
	CSRF        string
	Now         time.Time
	Path        string // address of this page, without the host
	Name        string // of the page's template
	Refresh     bool   // the page may be asked for again by itself
	Institution string
	Style       string // addresses
	Script      string
	Icon, Logo  string
	Nav         []navItem
	Done        string // what was just done
	Languages   []languageChoice
	Data        any
}

// May is for templates: {{if .May "act"}}.
func (v view) May(r staff.Role) bool { return v.In && v.Session.May(r) }

type languageChoice struct {
	Tag, Name string
	Current   bool
}

// page answers with templates/<name>.html, in the language of who asks. data is
// what the template sees as .Data.
func (c *Console) page(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	visit := visitOf(r)
	v := view{
		W: visit.words.tree, Lang: visit.words.tag, Session: visit.session, In: visit.in, CSRF: visit.session.CSRF,
		Now: c.Now(), Path: r.URL.RequestURI(), Name: name, Refresh: r.Method == http.MethodGet && status == http.StatusOK && visit.in,
		Institution: c.Institution, Style: c.look.own.style, Script: c.look.own.script, Icon: c.look.mark.Icon, Logo: c.look.mark.Logo,
		Nav: navigation(visit, r.URL.Path), Done: c.takeDone(w, r), Languages: c.languages(visit.words.tag), Data: data,
	}
	var out bytes.Buffer
	page := c.look.pages[v.Lang][name]
	if page == nil {
		c.Log.Error("console: there is no such page", "page", name)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if err := page.ExecuteTemplate(&out, "frame.html", v); err != nil {
		c.Log.Error("console: making a page", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Lang)
	w.Header().Set("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = out.WriteTo(w)
	}
}

// navItem is one way in the navigation.
type navItem struct {
	URL, Word, Icon string // Word is the key of its name in frame.nav
	Current         bool
}

// ways are the pages that the navigation leads to, and who sees each.
var ways = []struct {
	url, word string
	need      staff.Role
	also      string // beginning of the addresses that belong to it
}{
	{"/", "landing", staff.Look, ""},
	{"/causes", "causes", staff.Look, "/runbooks/"},
	{"/find", "find", staff.Look, "/requests/"},
	{"/bulk", "bulk", staff.Look, ""},
	{"/work", "work", staff.Look, ""},
	{"/callbacks", "callbacks", staff.Look, ""},
	{"/audit", "audit", staff.Audit, ""},
}

func navigation(v *visit, at string) []navItem {
	if !v.in || v.session.MustEnroll {
		return nil
	}
	var items []navItem
	for _, way := range ways {
		if v.session.May(way.need) {
			current := at == way.url || way.url != "/" && strings.HasPrefix(at, way.url+"/") || way.also != "" && strings.HasPrefix(at, way.also)
			items = append(items, navItem{URL: way.url, Word: way.word, Icon: way.word, Current: current})
		}
	}
	return items
}

// done keeps a word for the page that is shown next, which says what was done; key
// is its path in the words. Then it leads there.
func (c *Console) done(w http.ResponseWriter, r *http.Request, to, key string) {
	c.setCookie(w, doneCookie, key, time.Minute)
	c.streams.tell() // the index does not know of pauses and callbacks
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// takeDone returns the text that done kept, once. Only texts below a key "done" of
// a page's words are shown, whatever the cookie says.
func (c *Console) takeDone(w http.ResponseWriter, r *http.Request) string {
	key := c.cookie(r, doneCookie)
	if key == "" || byItself(r) {
		return ""
	}
	c.dropCookie(w, doneCookie)
	visit := visitOf(r)
	part, rest, found := strings.Cut(key, ".")
	if !found || !visit.in {
		return ""
	}
	text, _ := visit.words.at(fmt.Sprintf("%s.done.%s", part, rest)).(string)
	return text
}
