package templates

// Title is what the documents of a kind are called in a language, for who speaks
// of one without having it; false in a language that has no words.
func (k *Kind) Title(language string) (string, bool) {
	w := wordsOf(language)
	title := w.say(k.ID + ".title")
	return title, w.err == nil
}
