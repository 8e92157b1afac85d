package main

import (
	"fmt"
	"io"
	"strings"
)

// bar is a line that shows people on a terminal how far something is. Elsewhere it
// shows nothing.
type bar struct {
	w     io.Writer
	shown string
}

const barWidth = 30

func newBar(w io.Writer) *bar {
	if !terminal(w) {
		w = nil
	}
	return &bar{w: w}
}

// barText is the line for n of all, with a word on why it waits.
func barText(n, all int, holds string) string {
	share := 1.0
	if all > 0 {
		share = min(1, float64(n)/float64(all))
	}
	full := int(share * barWidth)
	text := fmt.Sprintf("[%s%s] %3d %%  %d / %d", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), int(share*100), n, all)
	if holds != "" {
		text += "  " + holds
	}
	return text
}

func (b *bar) show(n, all int, holds string) {
	if text := barText(n, all, holds); b.w != nil && text != b.shown {
		b.shown = text
		fmt.Fprint(b.w, "\r\x1b[K", text)
	}
}

// clear takes the line away.
func (b *bar) clear() {
	if b.w != nil && b.shown != "" {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
