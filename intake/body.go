package intake

import (
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"segell/wire"
)

// bodyOf describes a body that wire reads: every fault is named at once and by
// its pointer, as for documents.
func (a *API) bodyOf(t reflect.Type, about string, example any) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Description: about, Content: map[string]*huma.MediaType{
		"application/json": {Schema: wire.Schema(a.api.OpenAPI().Components.Schemas, t), Example: example}}}
}

// readBody reads such a body.
func readBody[T any](a *API, contentType, encoding string, raw []byte) (T, error) {
	if p := a.checkMedia(contentType, encoding, "application/json"); p != nil {
		var none T
		return none, p
	}
	body, err := wire.Decode[T](raw)
	if err != nil {
		return body, a.unreadableBody(err)
	}
	return body, nil
}

// asProblem is the problem that an error is.
func asProblem(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		panic("intake: an error that is no problem")
	}
	return p
}
