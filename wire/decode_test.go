package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"segell/wire"
)

type person struct {
	FullName   string    `json:"full_name" minLength:"1" maxLength:"12" doc:"Family names, then given names" example:"Puig, Maria"`
	CASSNumber string    `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"six digits and a capital letter" example:"000000A"`
	BirthDate  wire.Date `json:"birth_date" doc:"Date of birth"`
}

// Origin is embedded twice over, so that its field is one of the body.
type Origin struct{ Entry }

// Entry is the embedded of the embedded.
type Entry struct {
	Channel string `json:"channel,omitempty" enum:"portal,office"`
}

type body struct {
	Origin
	Language string           `json:"language" enum:"ca,es,fr,pt,en"`
	Holder   person           `json:"holder" doc:"The insured person"`
	Until    *wire.Date       `json:"until,omitempty"`
	Rate     *wire.Percent    `json:"rate,omitempty"`
	Parent   *person          `json:"parent,omitempty"`
	People   []person         `json:"people,omitempty" maxItems:"2"`
	Tags     []string         `json:"tags,omitempty" minItems:"1" uniqueItems:"true" maxLength:"3"`
	Nights   int              `json:"nights,omitempty" minimum:"0" maximum:"9"`
	Small    int8             `json:"small,omitempty"`
	Active   *bool            `json:"active,omitempty"`
	Amount   wire.Money       `json:"amount,omitempty"`
	Sent     *time.Time       `json:"sent,omitempty"`
	ID       *uuid.UUID       `json:"id,omitempty"`
	Scan     []byte           `json:"scan,omitempty"`
	Labels   map[string]int   `json:"labels,omitempty"`
	Extra    *json.RawMessage `json:"extra,omitempty"`
	Next     *body            `json:"next,omitempty"`
	Mode     *string          `json:"mode,omitempty" enum:"fast,slow"`
	hidden   int
}

const holder = `"holder":{"full_name":"Puig, Maria","cass_number":"000000A","birth_date":"1984-07-19"}`

// with returns a body that is right but for what is put in.
func with(more string) string { return `{"language":"ca",` + holder + `,` + more + `}` }

func TestDecode(t *testing.T) {
	in := `{"language":"ca","holder":{"full_name":"Puig, Mar\u00eda","cass_number":"000000A","birth_date":"1984-07-19"},
		"until":null,"rate":"75.00","people":[],"tags":["a","b"],"nights":3,"active":false,"amount":"-3.10","channel":"portal",
		"sent":"2026-03-02T09:14:05+01:00","id":"0199a7e4-0000-7000-8000-000000000000","scan":"AAEC","labels":{"a/b":1},"extra":{"x":[1]},
		"next":{"language":"es",` + holder + `},"mode":"fast"}`
	got, err := wire.Decode[body]([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got.Holder.FullName != "Puig, María" || got.Until != nil || *got.Rate != 7500 || got.People == nil || len(got.Tags) != 2 ||
		got.Nights != 3 || *got.Active || got.Amount != -310 || got.Channel != "portal" || got.Sent.Unix() != 1772439245 ||
		got.ID.Version() != 7 || !bytes.Equal(got.Scan, []byte{0, 1, 2}) || got.Labels["a/b"] != 1 || string(*got.Extra) != `{"x":[1]}` ||
		got.Next.Language != "es" || *got.Mode != "fast" || got.hidden != 0 {
		t.Errorf("decoded: %+v", got)
	}
}

func TestFaults(t *testing.T) {
	const (
		name   = `give a string of 1 to 12 characters (Family names, then given names), such as "Puig, Maria"`
		number = `give six digits and a capital letter, such as "000000A"`
		born   = `give a date written year-month-day, between 1900 and 2200 (Date of birth), such as "2026-03-02"`
		amount = `an amount in euros with exactly two decimals, written with a point and in quotes, such as "2500.00"`
	)
	for _, c := range []struct {
		what, body string
		want       []string
	}{
		{"empty", `{}`, []string{
			`/language is missing; give one of "ca", "es", "fr", "pt", "en"`,
			`/holder is missing; give an object with full_name, cass_number, birth_date (The insured person)`}},
		{"all at once, in order", `{"holder":{"cass_number":"1","full_name":"","birth_date":"2026-02-30"},"language":"xx"}`, []string{
			`/holder/cass_number must be six digits and a capital letter, such as "000000A"`,
			`/holder/full_name must not be empty; ` + name,
			`/holder/birth_date must be a day that the calendar has`,
			`/language must be one of "ca", "es", "fr", "pt", "en"`}},
		{"unknown", with(`"a/b~c":1,"Language":"ca"`), []string{
			`/a~1b~0c is not known here; known fields are `,
			`/Language is not known here; known fields are `}},
		{"unknown, nested", `{"language":"ca","holder":{"full_name":"x","cass_number":"000000A","birth_date":"1984-07-19","nia":"1"}}`, []string{
			`/holder/nia is not known here; known fields are full_name, cass_number, birth_date`}},
		{"unknown, not to be repeated", with(`"` + strings.Repeat("x", 65) + `":1,"a\u0007b":1`), []string{
			` has a field whose name is longer than 64 characters or cannot be printed`,
			` has a field whose name is longer than 64 characters or cannot be printed`}},
		{"in lists", with(`"people":[{"full_name":"x","cass_number":"000000A","birth_date":"1984-07-19"},{}]`), []string{
			`/people/1/full_name is missing; ` + name,
			`/people/1/cass_number is missing; ` + number,
			`/people/1/birth_date is missing; ` + born}},
		{"null where it may not be", with(`"people":null,"amount":null,"nights":null,"tags":[null],"labels":{"a":null}`), []string{
			`/people must not be null; give a list of at most 2 items`,
			`/amount must not be null; give ` + amount,
			`/nights must not be null; give a whole number from 0 to 9`,
			`/tags/0 must not be null; give a string of at most 3 characters`,
			`/labels/a must not be null; give a whole number`}},
		{"null where it may be", with(`"until":null,"rate":null,"parent":null,"active":null,"sent":null,"next":null,"extra":null,"mode":null,"id":null`), nil},
		{"null for what must be given", `{"language":null,"holder":null}`, []string{
			`/language must not be null; give one of "ca", "es", "fr", "pt", "en"`,
			`/holder must not be null; give an object with full_name, cass_number, birth_date (The insured person)`}},
		{"other JSON types", with(`"until":20260302,"rate":75.0,"parent":[],"people":{},"nights":"3","active":"true","amount":2500.00,"labels":{"a":"1"},"scan":[0]`), []string{
			`/until must be a string, not a number; give a date written year-month-day, between 1900 and 2200, such as "2026-03-02"`,
			`/rate must be a string, not a number; give a percentage with exactly two decimals, written with a point and in quotes, such as "75.00"`,
			`/parent must be an object, not a list`,
			`/people must be a list, not an object`,
			`/nights must be a number, not a string; give a whole number from 0 to 9`,
			`/active must be true or false, without quotes, not a string`,
			`/amount must be a string, not a number; give ` + amount,
			`/labels/a must be a number, not a string; give a whole number`,
			`/scan must be a string, not a list; give bytes in base64`}},
		{"lengths in characters", `{"language":"ca","holder":{"full_name":"ḥłđőãç·’ºª€œ","cass_number":"000000A","birth_date":"1984-07-19"}}`, nil},
		{"one character too many", `{"language":"ca","holder":{"full_name":"ḥłđőãç·’ºª€œñ","cass_number":"000000A","birth_date":"1984-07-19"}}`, []string{
			`/holder/full_name is too long: at most 12 characters`}},
		{"lists", with(`"people":[],"tags":[]`), []string{
			`/tags must not be an empty list; give a list of at least 1 item`}},
		{"a long list", with(`"people":[{},{},{}]`), []string{
			`/people has too many items: at most 2`, `/people/0/full_name `, `/people/0/cass_number `, `/people/0/birth_date `,
			`/people/1/full_name `, `/people/1/cass_number `, `/people/1/birth_date `, `/people/2/full_name `, `/people/2/cass_number `, `/people/2/birth_date `}},
		{"twice in a list", with(`"tags":["a","b","a"]`), []string{`/tags/2 is the same as an item before it; each may be given once`}},
		{"items", with(`"tags":["abcd"]`), []string{`/tags/0 is too long: at most 3 characters`}},
		{"numbers", with(`"nights":10,"small":128`), []string{`/nights is too large: at most 9`, `/small is out of range; give a whole number`}},
		{"negative", with(`"nights":-1`), []string{`/nights is too small: at least 0`}},
		{"not whole", with(`"nights":1.0,"small":1e2`), []string{
			`/nights must be a whole number, without a point or an exponent`, `/small must be a whole number, without a point or an exponent`}},
		{"enormous", with(`"nights":1` + strings.Repeat("0", 400) + `,"small":-1` + strings.Repeat("0", 400)), []string{
			`/nights is too large: at most 9`, `/small is out of range; give a whole number`}},
		{"money", with(`"amount":"-0.00"`), []string{`/amount must be ` + amount}},
		{"enum of a pointer, embedded", with(`"mode":"medium","channel":"kiosk"`), []string{
			`/mode must be one of "fast", "slow"`, `/channel must be one of "portal", "office"`}},
		{"values of other packages", with(`"sent":"2026-03-02","id":"0199","scan":"A"`), []string{
			`/sent is not valid here; give a time with its offset from UTC (RFC 3339), such as 2026-03-02T09:14:05+01:00`,
			`/id is not valid here; give a string`,
			`/scan must be bytes in base64 (RFC 4648 section 4, with padding)`}},
		{"hidden text", with(`"tags":["\u0000","\u202e","\u2028"],"mode":"\u007f"`), []string{
			`/tags/0 must not hold control`, `/tags/1 must not hold control`, `/tags/2 must not hold control`, `/mode must not hold control`}},
		{"recursion", with(`"next":{"next":{}}`), []string{
			`/next/next/language is missing`, `/next/next/holder is missing`, `/next/language is missing`, `/next/holder is missing`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := wire.Decode[body]([]byte(c.body))
			var faults wire.Faults
			if err != nil && !errors.As(err, &faults) {
				t.Fatal(err)
			}
			for i := range max(len(faults), len(c.want)) {
				var have, want string
				if i < len(faults) {
					have = faults[i].Pointer + " " + faults[i].Detail
				}
				if i < len(c.want) {
					want = c.want[i]
				}
				if want == "" || !strings.HasPrefix(have, want) {
					t.Errorf("fault %d:\n have %s\n want %s", i, have, want)
				}
			}
			if err != nil && !reflect.ValueOf(got).IsZero() {
				t.Errorf("a value came with the error: %+v", got)
			}
		})
	}
}

func TestSyntaxErrors(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"next":`, n) + `null` + strings.Repeat(`}`, n) }
	for _, c := range []struct {
		what, body string
		offset     int64
		detail     string
	}{
		{"nothing", ``, 0, "empty"},
		{"blanks", " \n ", 3, "empty"},
		{"a list", `[]`, 0, "must be a JSON object"},
		{"a string", ` "x"`, 1, "must be a JSON object"},
		{"not JSON", `hello`, 0, "a value was expected"},
		{"byte order mark", "\uFEFF{}", 0, "byte order mark"},
		{"cut off", `{"language":"c`, 14, "ends in the middle"},
		{"cut off in a word", `{"a":tru`, 8, "ends in the middle"},
		{"cut off in a number", `{"a":-`, 6, "ends in the middle"},
		{"trailing data", `{} {}`, 3, "something follows"},
		{"trailing nul", "{}\x00", 2, "something follows"},
		{"given twice", `{"language":"ca","language":"es"}`, 17, "given twice"},
		{"given twice by an escape", `{"language":"ca","langu\u0061ge":"es"}`, 17, "given twice"},
		{"given twice, nested", `{"a":[{"b":1,"b":2}]}`, 13, "given twice"},
		{"given twice among many", `{"a0":0,"a1":0,"a2":0,"a3":0,"a4":0,"a5":0,"a6":0,"a7":0,"a8":0,"a9":0,"b0":0,"b1":0,"b2":0,"b3":0,"b4":0,"b5":0,"b6":0,"a3":1}`, 120, "given twice"},
		{"33 levels", deep(33), 32 * 8, "too deep"},
		{"a comma too many", `{"a":1,}`, 7, "one too many"},
		{"a comma too many in a list", `{"a":[1,]}`, 8, "one too many"},
		{"no colon", `{"a" 1}`, 5, "colon"},
		{"no comma", `{"a":1 "b":2}`, 7, "a comma or }"},
		{"no comma in a list", `{"a":[1 2]}`, 8, "a comma or ]"},
		{"single quotes", `{'a':1}`, 1, "in double quotes"},
		{"invalid UTF-8 in a string", "{\"a\":\"x\xff\"}", 7, "invalid UTF-8"},
		{"overlong UTF-8", "{\"a\":\"\xc0\x80\"}", 6, "invalid UTF-8"},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", 6, "invalid UTF-8"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", 2, "invalid UTF-8"},
		{"half a surrogate pair", `{"a":"\ud800"}`, 6, "surrogate"},
		{"two first halves", `{"a":"\ud800\ud800"}`, 6, "surrogate"},
		{"line break in a string", "{\"a\":\"x\ny\"}", 7, "control character"},
		{"unknown escape", `{"a":"\x"}`, 6, "unknown escape"},
		{"bad \\u", `{"a":"\u12g4"}`, 10, "hexadecimal"},
		{"leading zero", `{"a":01}`, 6, "start with a zero"},
		{"plus", `{"a":+1}`, 5, "a value was expected"},
		{"no digit", `{"a":1.}`, 7, "a digit"},
		{"no exponent", `{"a":1e}`, 7, "a digit"},
		{"NaN", `{"a":NaN}`, 5, "a value was expected"},
		{"comment", `{/**/}`, 1, "in double quotes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := wire.Decode[body]([]byte(c.body))
			var syntax *wire.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v", err)
			}
			if syntax.Offset != c.offset || !strings.Contains(syntax.Detail, c.detail) {
				t.Errorf("at %d: %s; want at %d: %s", syntax.Offset, syntax.Detail, c.offset, c.detail)
			}
		})
	}
	if _, err := wire.Decode[body]([]byte(deep(32))); !errors.As(err, new(wire.Faults)) {
		t.Errorf("32 levels: %v", err)
	}
}

// TestNoValueIsRepeated plants a word wherever a value can stand and looks for it in what is said.
func TestNoValueIsRepeated(t *testing.T) {
	const secret = "Xsecretx"
	s := `"` + secret + `"`
	for _, b := range []string{
		`{"language":` + s + `,"holder":` + s + `,"until":` + s + `,"rate":` + s + `,"parent":` + s + `,"people":` + s + `,"tags":[` + s + `],"nights":` + s +
			`,"small":` + s + `,"active":` + s + `,"amount":` + s + `,"sent":` + s + `,"id":` + s + `,"scan":` + s + `,"labels":` + s + `,"next":` + s +
			`,"mode":` + s + `,"channel":` + s + `,"unknown":` + s + `}`,
		`{"a":` + secret + `}`, `{"a":"` + secret, `{` + s + `:1,` + s + `:2}`, `{} ` + secret,
	} {
		_, err := wire.Decode[body]([]byte(b))
		if err == nil {
			t.Fatalf("%s passed", b)
		}
		text, _ := json.Marshal(err)
		if strings.Contains(err.Error()+string(text), secret) {
			t.Errorf("a value is repeated: %v %s", err, text)
		}
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	_, err := wire.Decode[struct {
		Rows []person `json:"rows"`
	}]([]byte(`{"rows":[` + strings.Repeat(`{},`, 999) + `{}]}`))
	var faults wire.Faults
	if !errors.As(err, &faults) || len(faults) != wire.MaxFaults+1 {
		t.Fatalf("%d faults", len(faults))
	}
	if want := "has 2800 more faults that are not listed; mend these first"; faults[wire.MaxFaults].Detail != want {
		t.Errorf("last: %s", faults[wire.MaxFaults].Detail)
	}
}

func TestFaultsAsError(t *testing.T) {
	var f wire.Faults
	if f.Err() != nil {
		t.Error("no faults are an error")
	}
	f.Add("", "is odd")
	f.Addf(wire.Pointer("data", "a/b", 3, "x~y"), "is %d", 7)
	if got, want := f.Err().Error(), "2 faults in the body: the body is odd; /data/a~1b/3/x~0y is 7"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	text, _ := json.Marshal(f)
	if want := `[{"pointer":"","detail":"is odd"},{"pointer":"/data/a~1b/3/x~0y","detail":"is 7"}]`; string(text) != want {
		t.Errorf("JSON = %s", text)
	}
}

func TestUnfitTypesPanic(t *testing.T) {
	for name, compile := range map[string]func(){
		"required": func() {
			wire.Compile(reflect.TypeFor[struct {
				A string `json:"a" required:"false"`
			}]())
		},
		"nullable": func() {
			wire.Compile(reflect.TypeFor[struct {
				A *string `json:"a" nullable:"true"`
			}]())
		},
		"float": func() {
			wire.Compile(reflect.TypeFor[struct {
				A struct {
					B []float64 `json:"b"`
				} `json:"a"`
			}]())
		},
		"number in a string": func() {
			wire.Compile(reflect.TypeFor[struct {
				A int `json:"a,string"`
			}]())
		},
		"function": func() {
			wire.Compile(reflect.TypeFor[struct {
				A func() `json:"a"`
			}]())
		},
		"keys": func() {
			wire.Compile(reflect.TypeFor[struct {
				A map[int]string `json:"a"`
			}]())
		},
		"no struct": func() { wire.Compile(reflect.TypeFor[[]string]()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			compile()
		})
	}
}

// TestSchema holds that the API description says what Decode does.
func TestSchema(t *testing.T) {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	s := wire.Schema(r, reflect.TypeFor[body]())
	if s.Ref != "#/components/schemas/Body" {
		t.Fatalf("schema = %+v", s)
	}
	text, err := json.Marshal(r.Map()["Body"])
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Required             []string
		AdditionalProperties bool
		Properties           map[string]struct {
			Type    any
			Enum    []any
			Pattern string
		}
	}
	if err := json.Unmarshal(text, &described); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(described.Required) != "[language holder]" || described.AdditionalProperties {
		t.Errorf("required: %v", described.Required)
	}
	for name, want := range map[string]string{"until": "[string null]", "rate": "[string null]", "active": "[boolean null]", "amount": "string",
		"people": "array", "nights": "integer", "mode": "[string null]", "sent": "[string null]"} {
		if got := fmt.Sprint(described.Properties[name].Type); got != want {
			t.Errorf("%s is described as %s, want %s", name, got, want)
		}
	}
	if got := fmt.Sprint(described.Properties["mode"].Enum); got != "[fast slow <nil>]" {
		t.Errorf("mode is described as one of %s", got)
	}
}

func TestConcurrentFirstUse(t *testing.T) {
	type late struct {
		A wire.Money `json:"a"`
		B *person    `json:"b"`
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if v, err := wire.Decode[late]([]byte(`{"a":"1.00","b":null}`)); err != nil || v.A != 100 {
					t.Errorf("%+v, %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, with(`"amount":"1.00"`), with(`"tags":["a"],"labels":{"x.y":1},"extra":[{}]`), `{"a":"\ud83d\ude00"}`, `{"a":1,"a":2}`,
		`[1]`, `{"next":{"next":null}}`, "{\"a\":\"\xff\"}", with(`"nights":9007199254740993`), with(`"sent":"2026-03-02T09:14:05Z"`), with(`"scan":"AA=="`)} {
		f.Add([]byte(s))
	}
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	schema := wire.Schema(registry, reflect.TypeFor[body]())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := wire.Decode[body](b)
		var syntax *wire.SyntaxError
		var faults wire.Faults
		switch {
		case errors.As(err, &syntax):
			if syntax.Offset < 0 || syntax.Offset > int64(len(b)) {
				t.Fatalf("offset %d of %d", syntax.Offset, len(b))
			}
			return
		case !json.Valid(b):
			t.Fatalf("not JSON, yet: %v", err)
		case errors.As(err, &faults):
			for _, fault := range faults {
				if fault.Pointer != "" && fault.Pointer[0] != '/' || fault.Detail == "" {
					t.Fatalf("fault %+v", fault)
				}
			}
			return
		case err != nil:
			t.Fatalf("an error of neither kind: %v", err)
		}
		// What is accepted, the published schema accepts too, and it is itself again.
		var plain any
		if err := json.Unmarshal(b, &plain); err != nil {
			t.Fatal(err)
		}
		result := &huma.ValidateResult{}
		huma.Validate(registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, plain, result)
		for _, e := range result.Errors {
			t.Errorf("accepted against the schema: %v", e)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := wire.Decode[body](text); err != nil {
			t.Fatalf("%s: %v", text, err)
		} else if text2, _ := json.Marshal(again); !bytes.Equal(text, text2) {
			t.Fatalf("%s became %s", text, text2)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	small := []byte(with(`"amount":"2500.00","people":[{"full_name":"Ferrer","cass_number":"000001B","birth_date":"2015-05-04"}]`))
	b.Run("certificate", func(b *testing.B) {
		b.SetBytes(int64(len(small)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := wire.Decode[body](small); err != nil {
				b.Fatal(err)
			}
		}
	})
	type row struct {
		Month    wire.Month  `json:"month"`
		Employer string      `json:"employer" maxLength:"60"`
		Salary   wire.Money  `json:"salary"`
		Price    wire.Price  `json:"purchase_price"`
		Points   wire.Points `json:"points"`
	}
	type extract struct {
		Rows []row `json:"rows" maxItems:"5000"`
	}
	one := `{"month":"2026-02","employer":"Hotel Exemple, SA","salary":"2500.00","purchase_price":"26.62560","points":"11.2674"}`
	large := []byte(`{"rows":[` + strings.Repeat(one+",", 4999) + one + `]}`)
	b.Run("5000 rows", func(b *testing.B) {
		b.SetBytes(int64(len(large)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := wire.Decode[extract](large); err != nil {
				b.Fatal(err)
			}
		}
	})
}
