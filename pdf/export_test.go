package gofpdf

// Waiting tells whether a document waits for a writer under a token.
func Waiting(token string) bool {
	_, ok := waiting.Load(token)
	return ok
}
