package gofpdf

// Waiting tells whether a document waits for a writer under a token.
func Waiting(token string) bool {
	_, ok := waiting.Load(token)
	return ok
}

// Room ends a document without writing it and tells how many bytes the writer would make room for.
func (f *Fpdf) Room() (int, error) {
	err := f.end()
	return f.estimate(), err
}
