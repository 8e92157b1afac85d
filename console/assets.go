package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
)

//go:embed assets
var assetFiles embed.FS

// assets are the style and the script, under addresses that follow from what they
// hold, so that browsers may keep them for ever.
type assets struct {
	style, script string // addresses
	files         map[string]asset
}

type asset struct {
	contentType string
	body        []byte
}

func newAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	var err error
	if a.style, err = a.add("text/css; charset=utf-8", "console.css", "pages.css"); err == nil {
		a.script, err = a.add("text/javascript; charset=utf-8", "console.js")
	}
	return a, err
}

// add puts files together into one.
func (a *assets) add(contentType string, files ...string) (address string, err error) {
	var body []byte
	for _, file := range files {
		part, err := assetFiles.ReadFile("assets/" + file)
		if err != nil {
			return "", err
		}
		body = append(body, part...)
	}
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:8]) + path.Ext(files[0])
	a.files[name] = asset{contentType, body}
	return "/assets/" + name, nil
}

// asset serves the files that pages load.
func (c *Console) asset(w http.ResponseWriter, r *http.Request) {
	file, ok := c.look.own.files[r.PathValue("name")]
	if !ok {
		c.look.mark.ServeHTTP(w, r) // the logo, the icon, or 404
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.body)))
	_, _ = w.Write(file.body)
}
