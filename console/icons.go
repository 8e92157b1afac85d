package console

import (
	"fmt"
	"html/template"
)

// icons are small line drawings on a field of 24 by 24; they always stand beside
// words and are hidden from who listens.
var icons = map[string]string{
	// ways
	"landing":   `<path d="M4 11l8-7 8 7v9h-5v-6H9v6H4z"/>`,
	"causes":    `<path d="M4 6h16M4 12h10M4 18h6"/>`,
	"find":      `<circle cx="10.5" cy="10.5" r="6"/><path d="M15 15l5.5 5.5"/>`,
	"bulk":      `<path d="M4 8l8-4 8 4-8 4zM4 12l8 4 8-4M4 16l8 4 8-4"/>`,
	"work":      `<circle cx="12" cy="12" r="8"/><path d="M12 7v5l3.5 2"/>`,
	"callbacks": `<path d="M4 6h16v12H4zM4 7l8 6 8-6"/>`,
	"audit":     `<path d="M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7"/>`,
	"account":   `<circle cx="12" cy="8.5" r="4"/><path d="M4.5 20a7.5 7.5 0 0 1 15 0"/>`,
	"menu":      `<path d="M4 7h16M4 12h16M4 17h16"/>`,
	// states of requests
	"accepted":  `<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>`,
	"rendering": `<path d="M6 3h8l4 4v14H6zM9 12h6M9 16h6"/>`,
	"sealing":   `<circle cx="12" cy="9" r="5"/><path d="M9 13l-1.5 8 4.500-2.500 4.500 2.500L15 13"/>`,
	"storing":   `<path d="M4 7h16v4H4zM4 13h16v4H4z"/>`,
	"retrying":  `<path d="M19 8a8 8 0 1 0 1 6M20 4v5h-5"/>`,
	"failed":    `<circle cx="12" cy="12" r="9"/><path d="M8.500 8.500l7 7M15.500 8.500l-7 7"/>`,
	"issued":    `<circle cx="12" cy="12" r="9"/><path d="M7.500 12.500l3 3 6-6.500"/>`,
	"withdrawn": `<circle cx="12" cy="12" r="9"/><path d="M6 18L18 6"/>`,
	"replaced":  `<circle cx="12" cy="12" r="9"/><path d="M7 12h9M12.500 8.500L16 12l-3.500 3.500"/>`,
	"cancelled": `<circle cx="12" cy="12" r="9"/><path d="M7.500 12h9"/>`,
	"erased":    `<path d="M5 7h14M10 4h4M7 7l1 13h8l1-13"/>`,
	// how things are
	"well":    `<circle cx="12" cy="12" r="9"/><path d="M7.500 12.500l3 3 6-6.500"/>`,
	"mind":    `<path d="M12 3.500l9 16.500H3zM12 10v4.500M12 17.200v.1"/>`,
	"halt":    `<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8zM12 7.500v5.500M12 16.200v.1"/>`,
	"unknown": `<circle cx="12" cy="12" r="9"/><path d="M9.500 9.500a2.600 2.600 0 1 1 3.500 2.500q-1 .400-1 1.800M12 16.700v.1"/>`,
	"paused":  `<circle cx="12" cy="12" r="9"/><path d="M9.500 8.500v7M14.500 8.500v7"/>`,
	"running": `<circle cx="12" cy="12" r="9"/><path d="M10 8.500l5.500 3.500-5.500 3.500z"/>`,
	// states of bulks
	"proposed": `<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>`,
	"stopping": `<circle cx="12" cy="12" r="9"/><path d="M9.500 9.500h5v5h-5z"/>`,
	"stopped":  `<circle cx="12" cy="12" r="9"/><path d="M9.500 9.500h5v5h-5z"/>`,
	"refused":  `<circle cx="12" cy="12" r="9"/><path d="M6 18L18 6"/>`,
	// acts
	"done":  `<path d="M5 12.500l4.500 4.500L19 7"/>`,
	"lock":  `<path d="M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3"/>`,
	"print": `<path d="M7 9V4h10v5M7 16H4V9h16v7h-3M7 14h10v6H7z"/>`,
	"out":   `<path d="M14 4H5v16h9M10 12h10M16.500 8.500L20 12l-3.500 3.500"/>`,
}

// icon draws one; of a name that has none, a question.
func icon(name any) template.HTML {
	drawing, ok := icons[fmt.Sprint(name)]
	if !ok {
		drawing = icons["unknown"]
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">` + drawing + `</svg>`)
}
