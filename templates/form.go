package templates

import (
	"strings"

	"segell/layout"
)

// What the bilingual forms are made of: each part in the one or two languages of the document.

func heading(w *words, key string) layout.Heading {
	text, also := w.pair(key)
	return layout.Heading{Text: text, Also: also}
}

func lead(text string) layout.Lead { return layout.Lead{Text: text} }
func note(text string) layout.Note { return layout.Note{Text: text} }

// column has the words of a key in its head.
func column(w *words, share float64, key string) layout.Column {
	text, also := w.pair(key)
	return layout.Column{Head: text, Also: also, Share: share}
}

// box has the words of a key as its label.
func box(w *words, share float64, key, value string) layout.Box {
	text, also := w.pair(key)
	return layout.Box{Label: text, Also: also, Value: value, Share: share}
}

func strong(b layout.Box) layout.Box {
	b.Strong = true
	return b
}

// formPerson is the person a form is about, in boxes; key has the words for what the person is.
func formPerson(h *Holder, w *words, key string) layout.Form {
	row := []layout.Box{box(w, 4, "holder.birth_date", w.ShortDate(h.BirthDate))}
	if id := h.IDDocument; id != nil {
		row = append(row, box(w, 4, "id_document."+id.Type, id.Number+nbsp+"("+id.Country+")"))
	}
	if h.NIA != "" {
		row = append(row, box(w, 4, "holder.nia", h.NIA))
	} else if h.NRT != "" {
		row = append(row, box(w, 4, "holder.nrt", h.NRT))
	}
	return layout.Form{{
		strong(box(w, 8, key, h.FullName)),
		strong(box(w, 4, "holder.cass_number", h.CASSNumber)),
	}, row}
}

// instructions are sentences: in two languages side by side, in one as a paragraph.
func instructions(w *words, keys ...string) []layout.Block {
	if len(w.tongues) == 1 {
		said := make([]string, len(keys))
		for i, k := range keys {
			said[i] = w.say(k)
		}
		return []layout.Block{heading(w, "instructions"), layout.Paragraph(strings.Join(said, " "))}
	}
	t := layout.Table{}
	for _, name := range w.voices("language_name") {
		t.Columns = append(t.Columns, layout.Column{Head: name, Share: 1})
	}
	for _, k := range keys {
		t.Rows = append(t.Rows, w.voices(k))
	}
	return []layout.Block{heading(w, "instructions"), t}
}
