package pages

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestTheLanguageOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		query, accept, want string
		asked               bool
	}{
		{"", "", "ca", false}, {"", "de, ja", "ca", false}, {"", "fr-CH, fr;q=0.9, en;q=0.8", "fr", false}, {"", "pt-BR", "pt", false},
		{"?lang=es", "en", "es", true}, {"?lang=de", "en-GB", "en", false},
	} {
		r := httptest.NewRequest("GET", "/"+c.query, nil)
		r.Header.Set("Accept-Language", c.accept)
		if tag, asked := Chosen(r); tag != c.want || asked != c.asked {
			t.Errorf("%+v: %s, %t", c, tag, asked)
		}
	}
}

func TestWordsAreReadWhole(t *testing.T) {
	type words struct {
		Title string            `json:"title"`
		More  map[string]string `json:"more"`
	}
	files := fstest.MapFS{}
	for _, tag := range Languages {
		files["locales/"+tag+".json"] = &fstest.MapFile{Data: []byte(`{"title":"x","more":{"a":"y"}}`)}
	}
	fine := func(*words) error { return nil }
	if all, err := ReadWords(files, fine); err != nil || len(all) != len(Languages) {
		t.Fatalf("%v, %v", all, err)
	}
	for _, bad := range []string{`{"title":" ","more":{"a":"y"}}`, `{"title":"x","more":{"a":""}}`, `{"title":"x"}`, `{"title":"x","more":{"a":"y"},"other":1}`, `{`} {
		files["locales/pt.json"] = &fstest.MapFile{Data: []byte(bad)}
		if _, err := ReadWords(files, fine); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
	delete(files, "locales/pt.json")
	if _, err := ReadWords(files, fine); err == nil {
		t.Error("a language that is missing is not missed")
	}
}

func TestALogoThatIsNone(t *testing.T) {
	if _, err := NewAssets("/x/", []byte("GIF89a")); err == nil {
		t.Error("a GIF is shown")
	}
}
