package intake

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"segell/docs"
)

// problemPage serves the page that the type of a problem points to.
func (a *API) problemPage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("kind")
	row, known := problems[name]
	text, err := docs.Problems.ReadFile("problems/" + name + ".md")
	if !known || err != nil {
		a.problem("not-found", "There is no such kind of problem.").write(w)
		return
	}
	writePage(w, row.title, asHTML(string(text)))
}

// writePage writes a page of the API's documentation. It has no script, and no
// style but ours.
func writePage(w http.ResponseWriter, title, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"+
		"<title>%s</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n<main>\n%s</main>\n<footer><a href=\"/docs\">The API of Segell</a></footer>\n</body>\n</html>\n",
		html.EscapeString(title), body)
}

var inlineCode = regexp.MustCompile("`([^`]+)`")

// asHTML turns what the pages under docs/problems use of Markdown into HTML:
// headings, lists, paragraphs of one line each, and code in a line.
func asHTML(text string) string {
	var out strings.Builder
	inList := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		item, isItem := strings.CutPrefix(line, "- ")
		if inList && !isItem {
			out.WriteString("</ul>\n")
			inList = false
		}
		switch {
		case line == "":
		case isItem:
			if !inList {
				out.WriteString("<ul>\n")
				inList = true
			}
			fmt.Fprintf(&out, "<li>%s</li>\n", inHTML(item))
		case strings.HasPrefix(line, "## "):
			fmt.Fprintf(&out, "<h2>%s</h2>\n", inHTML(line[3:]))
		case strings.HasPrefix(line, "# "):
			fmt.Fprintf(&out, "<h1>%s</h1>\n", inHTML(line[2:]))
		default:
			fmt.Fprintf(&out, "<p>%s</p>\n", inHTML(line))
		}
	}
	if inList {
		out.WriteString("</ul>\n")
	}
	return out.String()
}

func inHTML(text string) string {
	return inlineCode.ReplaceAllString(html.EscapeString(text), "<code>$1</code>")
}
