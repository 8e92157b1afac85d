package runbooks

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// place is where the console serves the runbook of a cause.
const place = "/runbooks/"

// markdown is goldmark as it is made, which leaves out raw HTML and addresses of
// scripts, with our two changes.
var markdown = goldmark.New(
	goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(fitting{}, 500))),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(commands{}, 500))))

// HTML renders a page for a part of a page of the console: its title becomes an h2
// and its sections h3, a link to another runbook leads there, and what leads to
// other files of the project, which the console does not serve, is plain text.
// No HTML in the Markdown survives, nor any address but those of runbooks, https
// and http.
func HTML(md []byte) template.HTML {
	var out bytes.Buffer
	if err := markdown.Convert(md, &out); err != nil {
		// A buffer takes everything: what remains is a defect, and the words matter.
		return template.HTML("<pre>" + template.HTMLEscapeString(string(md)) + "</pre>")
	}
	return template.HTML(out.String())
}

// fitting makes a document fit into a page that has its own h1 and address.
type fitting struct{}

// Transform implements parser.ASTTransformer.
func (fitting) Transform(document *ast.Document, _ text.Reader, _ parser.Context) {
	var strays []ast.Node
	// The walker below never fails.
	_ = ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := node.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+1, 6)
		case *ast.Link:
			if address, ok := served(string(n.Destination)); ok {
				n.Destination = []byte(address)
			} else {
				strays = append(strays, n)
			}
		case *ast.Image: // nothing is loaded from elsewhere
			strays = append(strays, n)
		}
		return ast.WalkContinue, nil
	})
	for _, stray := range strays {
		unwrap(stray)
	}
}

// served is where a link of a page leads in the console, if anywhere.
func served(link string) (address string, ok bool) {
	if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
		return link, true
	}
	cause, isPage := strings.CutSuffix(link, ".md")
	if _, _, known := Runbook(cause, fallback[0]); !isPage || !known {
		return "", false
	}
	return place + cause, true
}

// unwrap puts what a node holds in its place.
func unwrap(node ast.Node) {
	parent := node.Parent()
	for child := node.FirstChild(); child != nil; {
		next := child.NextSibling()
		parent.InsertBefore(parent, node, child)
		child = next
	}
	parent.RemoveChild(parent, node)
}

// commands draws blocks of commands so that the keyboard can scroll a long line.
type commands struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (commands) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, drawCommands)
}

func drawCommands(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("<pre tabindex=\"0\" translate=\"no\"><code>")
	for _, line := range node.Lines().Sliced(0, node.Lines().Len()) {
		html.DefaultWriter.RawWrite(w, line.Value(source))
	}
	_, err := w.WriteString("</code></pre>\n")
	return ast.WalkContinue, err
}
