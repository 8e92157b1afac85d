package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
)

//go:embed assets
var assetFiles embed.FS

// Assets are the files that pages are made of, each under an address that follows
// from its content, so that browsers may keep it for ever.
type Assets struct {
	Style, Icon, Logo string // addresses

	prefix string
	files  map[string]asset // by the name in their address
}

type asset struct {
	contentType string
	body        []byte
}

// NewAssets returns the assets to be served below prefix, such as "/v/assets/".
// logo, an SVG or a PNG, is shown at the head instead of the mark of Segell.
func NewAssets(prefix string, logo []byte) (*Assets, error) {
	a := &Assets{prefix: prefix, files: map[string]asset{}}
	style, err := assetFiles.ReadFile("assets/page.css")
	if err != nil {
		return nil, err
	}
	mark, err := assetFiles.ReadFile("assets/mark.svg")
	if err != nil {
		return nil, err
	}
	a.Style = a.add(style, "text/css; charset=utf-8", "css")
	a.Icon = a.add(mark, "image/svg+xml", "svg")
	a.Logo = a.Icon
	if len(logo) > 0 {
		switch {
		case bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")):
			a.Logo = a.add(logo, "image/png", "png")
		case bytes.Contains(logo[:min(len(logo), 1024)], []byte("<svg")):
			a.Logo = a.add(logo, "image/svg+xml", "svg")
		default:
			return nil, fmt.Errorf("the logo is neither an SVG nor a PNG")
		}
	}
	return a, nil
}

func (a *Assets) add(body []byte, contentType, extension string) string {
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:8]) + "." + extension
	a.files[name] = asset{contentType, body}
	return a.prefix + name
}

// ServeHTTP serves the file that the path value "name" of a route names.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.body)))
	_, _ = w.Write(file.body)
}
