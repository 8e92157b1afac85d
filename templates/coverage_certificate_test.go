package templates_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/layout"
	"segell/samples"
	"segell/templates"
	"segell/wire"
)

var (
	now   = time.Date(2026, 3, 2, 8, 14, 5, 0, time.UTC)
	issue = templates.Issue{
		Number: "CASS-2026-COB-0001234", CSV: "7K3M-9QX2-TR4D-V8HC-W1YE-5P",
		VerificationURL: "https://seu.example.ad/v/7K3M9QX2TR4DV8HCW1YE5P",
		IssuedAt:        now, SealedBy: "Caixa Andorrana de Seguretat Social",
	}
)

func kind(t testing.TB) *templates.Kind {
	t.Helper()
	k, ok := templates.Lookup("coverage_certificate")
	if !ok {
		t.Fatal("the kind is not registered")
	}
	return k
}

func sample(t testing.TB, name string) samples.Sample {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == name {
			return s
		}
	}
	t.Fatalf("no sample %s", name)
	return samples.Sample{}
}

type object = map[string]any

// body is the standard sample, changed.
func body(t testing.TB, change func(b, holder, data, coverage object)) []byte {
	t.Helper()
	var b object
	if err := json.Unmarshal(sample(t, samples.Standard).Body, &b); err != nil {
		t.Fatal(err)
	}
	data := b["data"].(object)
	change(b, b["holder"].(object), data, data["coverage"].(object))
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func indirect(holder, data object) {
	holder["insured_type"], holder["situation"] = "indirect", "child"
	data["holder_direct"] = object{"full_name": "Puig Font, Joan", "cass_number": "000009J"}
	delete(data, "dependants")
}

func ended(data, coverage object) {
	coverage["active"], coverage["until"] = false, "2026-01-31"
	delete(data, "dependants")
}

func dependant(data object, i int) object { return data["dependants"].([]any)[i].(object) }

func TestCoverageRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(b, holder, data, coverage object)
		want   []string // pointers; none: accepted
	}{
		{"as it is", func(b, h, d, c object) {}, nil},
		{"no dependants", func(b, h, d, c object) { delete(d, "dependants") }, nil},
		{"an empty list of them", func(b, h, d, c object) { d["dependants"] = []any{} }, nil},
		{"indirect", func(b, h, d, c object) { indirect(h, d) }, nil},
		{"ended", func(b, h, d, c object) { ended(d, c); h["situation"] = "none" }, nil},
		{"ended and indirect", func(b, h, d, c object) { indirect(h, d); ended(d, c) }, nil},
		{"ends in a month", func(b, h, d, c object) { c["until"] = "2026-04-01" }, nil},
		{"ends today", func(b, h, d, c object) { c["until"] = "2026-03-02" }, nil},
		{"begins on the day", func(b, h, d, c object) { c["since"] = "2026-03-01" }, nil},
		{"null where optional", func(b, h, d, c object) { c["until"], d["referring_doctor_assigned"] = nil, nil }, nil},
		{"rates at the ends", func(b, h, d, c object) { c["rate_general"], c["rate_hospital"] = "0.00", "100.00" }, nil},
		{"data of today", func(b, h, d, c object) { b["data_as_of"] = "2026-03-02" }, nil},
		{"no options", func(b, h, d, c object) { delete(b, "options") }, nil},
		{"in NFD", func(b, h, d, c object) { h["full_name"] = "Conceic\u0327a\u0303o" }, nil},
		{"a soft hyphen", func(b, h, d, c object) { d["purpose"] = "reem\u00adbossament" }, nil},
		{"an emoji: only the worker knows the fonts", func(b, h, d, c object) { h["full_name"] = "Maria 😀" }, nil},

		{"a language of nobody", func(b, h, d, c object) { b["language"] = "de" }, []string{"/language"}},
		{"data of tomorrow", func(b, h, d, c object) { b["data_as_of"] = "2026-03-03" }, []string{"/data_as_of"}},
		{"born tomorrow", func(b, h, d, c object) { h["birth_date"] = "2026-03-03" }, []string{"/holder/birth_date", "/data/coverage/since"}},
		{"born after the data", func(b, h, d, c object) {
			h["birth_date"], c["since"] = "2026-03-02", "2026-03-02"
		}, []string{"/holder/birth_date", "/data/coverage/since"}},
		{"born 125 years ago", func(b, h, d, c object) { h["birth_date"] = "1901-03-02" }, nil},
		{"and a day", func(b, h, d, c object) { h["birth_date"] = "1901-03-01" }, []string{"/holder/birth_date"}},
		{"number of the old kind", func(b, h, d, c object) { h["cass_number"] = "000000-A" }, []string{"/holder/cass_number"}},
		{"number in small letters", func(b, h, d, c object) { h["cass_number"] = "000000a" }, []string{"/holder/cass_number"}},
		{"document in small letters", func(b, h, d, c object) { h["id_document"].(object)["number"] = "pp 1" }, []string{"/holder/id_document/number"}},
		{"NRT of a company", func(b, h, d, c object) { h["nrt"] = "L-706123-K" }, []string{"/holder/nrt"}},
		{"name of 120", func(b, h, d, c object) { h["full_name"] = strings.Repeat("ã", 120) }, nil},
		{"name of 121", func(b, h, d, c object) { h["full_name"] = strings.Repeat("ã", 121) }, []string{"/holder/full_name"}},
		{"name of a space", func(b, h, d, c object) { h["full_name"] = " " }, []string{"/holder/full_name"}},
		{"name with a line feed", func(b, h, d, c object) { h["full_name"] = "Puig\nMaria" }, []string{"/holder/full_name"}},
		{"name with a tab", func(b, h, d, c object) { h["full_name"] = "Puig\tMaria" }, []string{"/holder/full_name"}},
		{"name with a right-to-left mark", func(b, h, d, c object) { h["full_name"] = "Puig\u200fMaria" }, []string{"/holder/full_name"}},
		{"name with an override", func(b, h, d, c object) { h["full_name"] = "Puig\u202eMaria" }, []string{"/holder/full_name"}},
		{"six lines of address", func(b, h, d, c object) { h["address"] = []any{"a", "b", "c", "d", "e", "f"} }, []string{"/holder/address"}},
		{"a line too long", func(b, h, d, c object) { h["address"] = []any{"a", strings.Repeat("x", 61)} }, []string{"/holder/address/1"}},
		{"a line with a control", func(b, h, d, c object) { h["address"] = []any{"a", "b\u200bc"} }, []string{"/holder/address/1"}},
		{"an empty line", func(b, h, d, c object) { h["address"] = []any{"a", " "} }, []string{"/holder/address/1"}},
		{"situation of an indirect", func(b, h, d, c object) { h["situation"] = "spouse" }, []string{"/holder/situation"}},
		{"situation of a direct", func(b, h, d, c object) { indirect(h, d); h["situation"] = "employee" }, []string{"/holder/situation"}},
		{"covered by nothing", func(b, h, d, c object) { h["situation"] = "none" }, []string{"/holder/situation"}},

		{"until before since", func(b, h, d, c object) { ended(d, c); c["until"] = "2019-08-31" }, []string{"/data/coverage/until"}},
		{"since before birth", func(b, h, d, c object) { c["since"] = "1984-07-18" }, []string{"/data/coverage/since"}},
		{"begins after the data", func(b, h, d, c object) { c["since"] = "2026-03-02" }, []string{"/data/coverage/since"}},
		{"active and ended", func(b, h, d, c object) { c["until"] = "2026-02-28" }, []string{"/data/coverage/until"}},
		{"ended since the data", func(b, h, d, c object) { c["until"] = "2026-03-01" }, []string{"/data/coverage/until"}},
		{"ended without an end", func(b, h, d, c object) { ended(d, c); delete(c, "until") }, []string{"/data/coverage/until"}},
		{"ended on the day", func(b, h, d, c object) { ended(d, c); c["until"] = "2026-03-01" }, []string{"/data/coverage/until"}},
		{"basis of an indirect", func(b, h, d, c object) { c["basis"] = "child" }, []string{"/data/coverage/basis"}},
		{"more than all", func(b, h, d, c object) { c["special_rate"] = "100.01" }, []string{"/data/coverage/special_rate"}},
		{"less than nothing", func(b, h, d, c object) { c["rate_general"] = "-1.00" }, []string{"/data/coverage/rate_general"}},
		{"a rate as a number", func(b, h, d, c object) { c["rate_general"] = 75 }, []string{"/data/coverage/rate_general"}},
		{"the same benefit twice", func(b, h, d, c object) { c["scope"] = []any{"maternity", "maternity"} }, []string{"/data/coverage/scope/1"}},
		{"a purpose of 101", func(b, h, d, c object) { d["purpose"] = strings.Repeat("x", 101) }, []string{"/data/purpose"}},

		{"indirect through nobody", func(b, h, d, c object) { indirect(h, d); delete(d, "holder_direct") }, []string{"/data/holder_direct"}},
		{"indirect through oneself", func(b, h, d, c object) {
			indirect(h, d)
			d["holder_direct"].(object)["cass_number"] = h["cass_number"]
		}, []string{"/data/holder_direct/cass_number"}},
		{"direct through another", func(b, h, d, c object) {
			d["holder_direct"] = object{"full_name": "Puig Font, Joan", "cass_number": "000009J"}
		}, []string{"/data/holder_direct"}},
		{"dependants of an indirect", func(b, h, d, c object) { was := d["dependants"]; indirect(h, d); d["dependants"] = was }, []string{"/data/dependants"}},
		{"dependants of nobody covered", func(b, h, d, c object) { was := d["dependants"]; ended(d, c); d["dependants"] = was }, []string{"/data/dependants"}},
		{"31 dependants", func(b, h, d, c object) { d["dependants"] = many(31) }, []string{"/data/dependants"}},
		{"a dependant twice", func(b, h, d, c object) { dependant(d, 1)["cass_number"] = "000001B" }, []string{"/data/dependants/1/cass_number"}},
		{"oneself as dependant", func(b, h, d, c object) { dependant(d, 0)["cass_number"] = "000000A" }, []string{"/data/dependants/0/cass_number"}},
		{"two spouses", func(b, h, d, c object) {
			dependant(d, 0)["relationship"], dependant(d, 1)["relationship"] = "spouse", "partner"
		}, []string{"/data/dependants/1/relationship"}},
		{"a dependant covered before birth", func(b, h, d, c object) { dependant(d, 0)["since"] = "2015-05-03" }, []string{"/data/dependants/0/since"}},
		{"a dependant of tomorrow", func(b, h, d, c object) { dependant(d, 0)["since"] = "2026-03-02" }, []string{"/data/dependants/0/since"}},
		{"a dependant of yesterday", func(b, h, d, c object) { dependant(d, 1)["until"] = "2026-02-28" }, []string{"/data/dependants/1/until"}},
		{"an unborn dependant", func(b, h, d, c object) { dependant(d, 1)["birth_date"] = "2026-03-09" }, []string{"/data/dependants/1/birth_date", "/data/dependants/1/since"}},

		{"an unknown field", func(b, h, d, c object) { c["illness"] = "flu" }, []string{"/data/coverage/illness"}},
		{"shape and rules at once", func(b, h, d, c object) {
			h["cass_number"], b["data_as_of"], dependant(d, 1)["cass_number"] = 7, "2027-01-01", "000001B"
		}, []string{"/data/dependants/1/cass_number", "/data_as_of", "/holder/cass_number"}},
		{"what cannot be read is not judged", func(b, h, d, c object) {
			c["active"], c["since"], b["language"] = "yes", "31/12/2019", "xx"
		}, []string{"/data/coverage/active", "/data/coverage/since", "/language"}},
		{"a dependant that is no object", func(b, h, d, c object) {
			d["dependants"] = []any{7, d["dependants"].([]any)[0], d["dependants"].([]any)[0]}
		}, []string{"/data/dependants/0", "/data/dependants/2/cass_number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := body(t, c.change)
			r, err := kind(t).Decode(raw, now)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if r.Kind() != kind(t) || r.Options.Priority != templates.PriorityInteractive {
					t.Errorf("kind %v, priority %q", r.Kind().ID, r.Options.Priority)
				}
				return
			}
			var faults wire.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			got := map[string]bool{}
			for _, f := range faults {
				got[f.Pointer] = true
				if f.Detail == "" {
					t.Errorf("%s: no words", f.Pointer)
				}
			}
			if g := slices.Sorted(maps.Keys(got)); !slices.Equal(g, slices.Sorted(slices.Values(c.want))) || len(got) != len(faults) {
				t.Errorf("faults at %q, want %q", g, c.want)
			}
			for _, secret := range []string{"Puig", "Maria", "000000A", "000001B", "1984", "flu", "Ferrer"} {
				if strings.Contains(err.Error(), secret) && !strings.Contains(err.Error(), "such as") {
					t.Errorf("the fault repeats %q: %v", secret, err)
				}
			}
		})
	}
	if _, err := kind(t).Decode([]byte(`{"language":`), now); !errors.As(err, new(*wire.SyntaxError)) {
		t.Errorf("half a body: %v", err)
	}
}

// The day is Andorra's: half past eleven in the evening UTC is tomorrow there.
func TestTheDayIsAndorras(t *testing.T) {
	raw := body(t, func(b, h, d, c object) { b["data_as_of"] = "2026-03-03" })
	if _, err := kind(t).Decode(raw, time.Date(2026, 3, 2, 23, 30, 0, 0, time.UTC)); err != nil {
		t.Error(err)
	}
	if _, err := kind(t).Decode(raw, time.Date(2026, 3, 2, 22, 30, 0, 0, time.UTC)); err == nil {
		t.Error("tomorrow was accepted")
	}
}

func many(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = object{
			"full_name": fmt.Sprintf("Ferrer i Puig, Fill número %d", i+1), "cass_number": fmt.Sprintf("1%05dC", i),
			"birth_date": "2015-05-04", "relationship": "child", "since": "2019-09-01",
		}
	}
	return list
}

func TestValidUntil(t *testing.T) {
	for _, c := range []struct{ name, until, issued, want string }{
		{"three months", "", "2026-03-02T09:00:00Z", "2026-06-02"},
		{"end of a short month", "", "2025-11-30T09:00:00Z", "2026-02-28"},
		{"the day in Andorra", "", "2026-03-02T23:30:00Z", "2026-06-03"},
		{"until the cover ends", "2026-04-01", "2026-03-02T09:00:00Z", "2026-04-01"},
		{"but not longer", "2027-04-01", "2026-03-02T09:00:00Z", "2026-06-02"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := kind(t).Decode(body(t, func(b, h, d, cov object) {
				if c.until != "" {
					cov["until"] = c.until
				}
			}), now)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.issued)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := r.ValidUntil(at); !ok || got.String() != c.want {
				t.Errorf("%v, %v, want %s", got, ok, c.want)
			}
		})
	}
}

func draw(t testing.TB, raw []byte, is templates.Issue) templates.Rendered {
	t.Helper()
	r, err := kind(t).Decode(raw, now)
	if err != nil {
		t.Fatal(err)
	}
	out, err := templates.Render(context.Background(), r, is)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pdftotext(t testing.TB, pdf []byte) string {
	t.Helper()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Fatal("pdftotext is missing; install it: apt-get install -y poppler-utils")
	}
	p := filepath.Join(t.TempDir(), "page.pdf")
	if err := os.WriteFile(p, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("pdftotext", "-raw", p, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// has fails unless the text has every part, in this order.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(text), " ")
	at := 0
	for _, p := range parts {
		i := strings.Index(flat[at:], p)
		if i < 0 {
			t.Fatalf("%q is missing, or out of order, in\n%s", p, text)
		}
		at += i + len(p)
	}
}

func TestCoveragePage(t *testing.T) {
	s := sample(t, samples.Standard)
	ca := draw(t, s.Body, issue)
	if ca.Pages != 1 || ca.Title != "Certificat de cobertura sanitària CASS-2026-COB-0001234" {
		t.Errorf("%d pages, %q", ca.Pages, ca.Title)
	}
	text := pdftotext(t, ca.PDF)
	has(t, text, "Caixa Andorrana de Seguretat Social", "CASS-2026-COB-0001234", "Data d’expedició: 2 de març del 2026",
		"Certificat de cobertura sanitària", "No conté cap dada mèdica.",
		"La Caixa Andorrana de Seguretat Social CERTIFICA que", "a 1 de març del 2026", "té la cobertura sanitària vigent.",
		"Titular", "Cognoms i nom Puig i Cerqueda, Maria del Carme", "Número CASS 000000A Data de naixement 19/07/1984",
		"Passaport PP0000000 (AD)", "NIA 123456A", "Directe", "Persona assalariada", "Av. Meritxell, 00, 3r 2a AD500 Andorra la Vella",
		"Estat Vigent a 01/03/2026 Des de 01/09/2019", "75 %", "90 %", "Metge referent assignat Sí", "reembossament, hospitalització, maternitat", "Inscripció escolar",
		"Consten 2 persones", "Ferrer i Puig, Arnau 000001B 04/05/2015 Fill o filla 01/09/2019", "Ferrer i Puig, Gal·la 000002C 31/12/2021",
		"Validesa: fins al 02/06/2026, llevat de canvi de situació.", "Llei 17/2008", "132 i següents.",
		"I, perquè consti als efectes oportuns, s’expedeix aquest document.", "Andorra la Vella, 2 de març del 2026",
		"Segellat electrònicament per Caixa Andorrana de Seguretat Social", "09:14:05 (hora d’Andorra)", "Llei 35/2014",
		"Pàgina 1 de 1", "Codi segur de verificació (CSV)", issue.CSV, "Comproveu aquest document a "+issue.VerificationURL,
		"Document CASS-2026-COB-0001234 · Vàlid fins al 02/06/2026, llevat de canvi de situació", "Llei 29/2021")
	for _, no := range []string{"PROVA", "cortesia", "Fins al 0", "{{", "<no value>"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is on the page", no)
		}
	}

	en := draw(t, s.In("en").Body, issue)
	text = pdftotext(t, en.PDF)
	has(t, text, "Health coverage certificate", "Certificat de cobertura sanitària", "Courtesy translation; the Catalan text is the official one.",
		"CERTIFIES that", "1 March 2026", "is covered.", "Full name Puig i Cerqueda", "75%", "2 persons are insured", "Page 1 of 1")
	if en.Pages != 1 || en.Title != "Health coverage certificate CASS-2026-COB-0001234" {
		t.Errorf("%d pages, %q", en.Pages, en.Title)
	}

	// Every courtesy translation carries the Catalan title, and its own numbers and dates.
	for lang, want := range map[string]struct {
		title string
		parts []string
	}{
		"es": {"Certificado de cobertura sanitaria", []string{
			"Traducción de cortesía; el texto oficial es el catalán.", "CERTIFICA que", "a 1 de marzo de 2026", "tiene la cobertura sanitaria vigente.",
			"Apellidos y nombre Puig i Cerqueda", "Pasaporte PP0000000 (AD)", "Directo", "Trabajador por cuenta ajena", "Vigente a 01/03/2026 Desde 01/09/2019", "75 %",
			"reembolso, hospitalización, maternidad", "Constan 2 personas", "Hijo o hija 01/09/2019", "Validez: hasta el 02/06/2026, salvo cambio de situación.",
			"Ley andorrana 17/2008", "Y, para que conste", "Sellado electrónicamente por", "09:14:05 (hora de Andorra)", "Página 1 de 1"}},
		"fr": {"Attestation de couverture santé", []string{
			"Traduction de courtoisie; seul le texte catalan fait foi.", "ATTESTE que", "au 1er mars 2026", "bénéficie de la couverture santé.",
			"Nom et prénoms Puig i Cerqueda", "Passeport PP0000000 (AD)", "Direct", "Salarié", "En vigueur au 01/03/2026 Depuis le 01/09/2019", "75 %",
			"remboursement, hospitalisation, maternité", "2 personnes sont assurées", "Enfant 01/09/2019", "Validité: jusqu’au 02/06/2026, sauf changement de situation.",
			"loi andorrane 17/2008", "pour servir et valoir ce que de droit.", "Cachet électronique apposé par", "09:14:05 (heure d’Andorre)", "Page 1 sur 1"}},
		"pt": {"Certificado de cobertura de saúde", []string{
			"Tradução de cortesia; só o texto em catalão faz fé.", "CERTIFICA que", "em 1 de março de 2026", "tem cobertura de saúde em vigor.",
			"Apelidos e nome próprio Puig i Cerqueda", "Passaporte PP0000000 (AD)", "Direto", "Por conta de outrem", "Em vigor em 01/03/2026 Desde 01/09/2019", "75%",
			"reembolso, internamento hospitalar, maternidade", "Constam 2 pessoas", "Filho ou filha 01/09/2019", "Validade: até 02/06/2026, salvo alteração da situação.",
			"Lei andorrana 17/2008", "Por ser verdade e para os devidos efeitos", "Selado eletronicamente por", "09:14:05 (hora de Andorra)", "Página 1 de 1"}},
	} {
		out := draw(t, s.In(lang).Body, issue)
		has(t, pdftotext(t, out.PDF), append([]string{want.title, "Certificat de cobertura sanitària"}, want.parts...)...)
		if out.Pages != 1 || out.Title != want.title+" CASS-2026-COB-0001234" {
			t.Errorf("%s: %d pages, %q", lang, out.Pages, out.Title)
		}
	}

	proof := issue
	proof.Proof = true
	has(t, pdftotext(t, draw(t, s.Body, proof).PDF), "PROVA — sense valor", "Segellat", "PROVA — sense valor")
	has(t, pdftotext(t, draw(t, s.In("en").Body, proof).PDF), "PROVA — sense valor")
}

func TestEndedCover(t *testing.T) {
	s := sample(t, "cover_ended")
	ca := draw(t, s.Body, issue)
	text := pdftotext(t, ca.PDF)
	has(t, text, "Certificat de situació", "no té la cobertura sanitària vigent.", "Sense afiliació vigent",
		"No vigent a 01/03/2026 Des de 01/12/2025 Fins al 31/01/2026 Títol de la cobertura Persona assalariada",
		"La cobertura es va acabar en data 31 de gener del 2026. En data 1 de març del 2026 la persona titular no tenia cobertura")
	if strings.Contains(text, "Certificat de cobertura") || strings.Contains(text, "indirectes") {
		t.Error("a certificate of status speaks of cover or of dependants")
	}
	if !strings.HasPrefix(ca.Title, "Certificat de situació ") {
		t.Errorf("title %q", ca.Title)
	}
	for lang, want := range map[string][]string{
		"es": {"Certificado de situación", "no tiene la cobertura sanitaria vigente.", "La cobertura terminó en fecha 31 de enero de 2026."},
		"fr": {"Attestation de situation", "ne bénéficie pas de la couverture santé.", "La couverture a pris fin le 31 janvier 2026. Au 1er mars 2026,"},
		"pt": {"Certificado de situação", "não tem cobertura de saúde em vigor.", "A cobertura terminou em 31 de janeiro de 2026."},
		"en": {"Certificate of status", "is not covered.", "The cover ended on 31 January 2026."},
	} {
		has(t, pdftotext(t, draw(t, s.In(lang).Body, issue).PDF), append([]string{want[0], "Certificat de situació"}, want[1:]...)...)
	}
}

func TestIndirectHolder(t *testing.T) {
	text := pdftotext(t, draw(t, body(t, func(b, h, d, c object) { indirect(h, d) }), issue).PDF)
	has(t, text, "Indirecte (beneficiari)", "Fill o filla", "Assegurat directe Puig Font, Joan (número CASS 000009J)")
	if strings.Contains(text, "Assegurats indirectes") {
		t.Error("an indirect holder has a list of dependants")
	}
}

// A special regime that says something of a person's life is printed without its name.
func TestSensitiveSituationsAreNotNamed(t *testing.T) {
	for _, s := range []string{"detained", "disability", "ward", "occasional_aid"} {
		for lang, want := range map[string]string{"ca": "Règim especial", "es": "Régimen especial", "fr": "Régime spécial", "pt": "Regime especial", "en": "Special regime"} {
			has(t, pdftotext(t, draw(t, body(t, func(b, h, d, c object) { h["situation"] = s; b["language"] = lang }), issue).PDF), want)
		}
	}
}

func TestDependants(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5, 6, 7, 8, 12, 30} {
		for _, lang := range kind(t).Languages {
			out := draw(t, body(t, func(b, h, d, c object) { d["dependants"] = many(n); b["language"] = lang }), issue)
			text := pdftotext(t, out.PDF)
			if n == 0 {
				has(t, text, map[string]string{"ca": "No consten assegurats indirectes.", "es": "No constan asegurados indirectos.",
					"fr": "Aucun assuré indirect n’est enregistré.", "pt": "Não constam segurados indiretos.", "en": "There are no indirect insured persons on record."}[lang])
			}
			if got := strings.Count(text, "Fill número"); got != n {
				t.Errorf("%d of %d dependants", got, n)
			}
			if n <= 5 && out.Pages != 1 || n >= 12 && out.Pages != 2 {
				t.Errorf("%s: %d dependants take %d pages", lang, n, out.Pages)
			}
			if got := strings.Count(text, issue.VerificationURL); got != out.Pages {
				t.Errorf("%d of %d pages say where to verify", got, out.Pages)
			}
		}
	}
}

// Hard names are drawn whole (E1 of DOMAIN section 9), or fail with a fault that staff understand.
func TestHardNames(t *testing.T) {
	long := "Gonçalves de Magalhães Sant’Anna i Gal·lissà de Vasconcelos Corrêa Brandão, Maria da Conceição Assumpció Imaculada-Rosa"
	if n := len([]rune(long)); n != 119 {
		t.Fatalf("the long name has %d characters", n)
	}
	for _, c := range []struct{ name, in, want string }{
		{"long", long, long},
		{"120 without a space", strings.Repeat("Ŵ", 120), ""},
		{"letters", "Ḥasan Łukasz Đorđević Őry ã ç l·l ŀ ƙ Ɔ ẹ̀ Nguyễn Thị Ánh", "Ḥasan Łukasz Đorđević Őry ã ç l·l ŀ ƙ Ɔ ẹ̀ Nguyễn Thị Ánh"},
		{"NFD", "Conceic\u0327a\u0303o Cre\u0301mer", "Conceição Crémer"},
		{"no-break space", "Puig\u00a0i\u00a0Cerqueda", "Puig i Cerqueda"},
		{"soft hyphen", "Cer\u00adqueda", "Cerqueda"},
		{"signs", `O'Neill (50% <b> & \n {{.Name}})`, `O'Neill (50% <b> & \n {{.Name}})`},
	} {
		for _, lang := range kind(t).Languages {
			t.Run(c.name+" "+lang, func(t *testing.T) {
				out := draw(t, body(t, func(b, h, d, cov object) {
					h["full_name"] = c.in
					b["language"] = lang
					dependant(d, 0)["full_name"] = c.in
				}), issue)
				text := pdftotext(t, out.PDF)
				if c.want != "" {
					has(t, text, c.want, c.want)
				}
				if n := strings.Count(c.in, "Ŵ"); strings.Count(text, "Ŵ") != 2*n {
					t.Errorf("%d of %d letters are drawn", strings.Count(text, "Ŵ"), 2*n)
				}
			})
		}
	}
	for name, c := range map[string]struct {
		in    string
		cause string
	}{
		"emoji":   {"Maria 😀", layout.CauseMissingGlyph},
		"Hebrew":  {"מרים", layout.CauseMissingGlyph},
		"Chinese": {"王", layout.CauseMissingGlyph},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := kind(t).Decode(body(t, func(b, h, d, cov object) { h["full_name"] = c.in }), now)
			if err != nil {
				t.Fatal(err)
			}
			_, err = templates.Render(context.Background(), r, issue)
			var fault *layout.Fault
			if !errors.As(err, &fault) || fault.Cause != c.cause || !strings.Contains(fault.Detail, "Cognoms i nom") || strings.Contains(err.Error(), c.in) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Nothing about a person is in the file outside its pages.
func TestNoPersonInTheMetadata(t *testing.T) {
	out := draw(t, sample(t, samples.Standard).Body, issue)
	if strings.Contains(out.Title, "Puig") {
		t.Errorf("title %q", out.Title)
	}
	outside := out.PDF
	for { // the pages are compressed streams: what is left is readable
		a, rest, ok := bytes.Cut(outside, []byte("\nstream\n"))
		if !ok {
			break
		}
		_, b, _ := bytes.Cut(rest, []byte("\nendstream"))
		outside = append(bytes.Clone(a), b...)
	}
	if !bytes.Contains(outside, []byte("/Title")) || len(outside) < 500 {
		t.Fatal("this test looks at nothing")
	}
	for _, secret := range []string{"Puig", "Cerqueda", "000000A", "1984", "PP0000000", "123456A", "Ferrer", "escolar", "Meritxell"} {
		utf16 := ""
		for _, r := range secret {
			utf16 += fmt.Sprintf("%04X", r)
		}
		if bytes.Contains(outside, []byte(secret)) || bytes.Contains(outside, []byte(utf16)) {
			t.Errorf("%q is in the file's metadata", secret)
		}
	}
}

func TestSameRequestSameBytes(t *testing.T) {
	want := draw(t, sample(t, samples.Standard).Body, issue)
	r, err := kind(t).Decode(sample(t, samples.Standard).Body, now)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 3 {
				got, err := templates.Render(context.Background(), r, issue)
				if err != nil || !bytes.Equal(got.PDF, want.PDF) {
					t.Errorf("%v, same bytes %v", err, bytes.Equal(got.PDF, want.PDF))
				}
			}
		})
	}
	wg.Wait()
}

func TestEveryWordOfEveryEnumeration(t *testing.T) {
	k := kind(t)
	schema := map[string][]string{
		"situation":    {"employee", "self_employed", "pensioner", "voluntary", "voluntary_general_branch", "student_25_30", "athlete_25_30", "young_self_employed", "pre_retired", "employment_service", "ward", "occasional_aid", "detained", "disability"},
		"relationship": {"spouse", "partner", "child", "student", "job_seeker", "dependent", "ward"},
		"indirect":     {"low_wage_employee", "spouse", "partner", "child", "student", "job_seeker", "dependent"},
	}
	for _, lang := range k.Languages {
		for _, s := range schema["situation"] {
			draw(t, body(t, func(b, h, d, c object) { b["language"], h["situation"] = lang, s }), issue)
		}
		for _, s := range schema["indirect"] {
			draw(t, body(t, func(b, h, d, c object) { indirect(h, d); b["language"], h["situation"] = lang, s }), issue)
		}
		for _, s := range schema["relationship"] {
			draw(t, body(t, func(b, h, d, c object) {
				b["language"], dependant(d, 0)["relationship"], dependant(d, 0)["until"] = lang, s, "2030-01-01"
			}), issue)
		}
	}
}

func TestKinds(t *testing.T) {
	codes := map[string]bool{}
	for _, k := range templates.Kinds() {
		if codes[k.Code] || len(k.Code) != 3 || len(k.Languages) == 0 || !strings.HasPrefix(k.Languages[0], "ca") {
			t.Errorf("%s: code %q, languages %q", k.ID, k.Code, k.Languages)
		}
		codes[k.Code] = true
		wire.Compile(k.BodyType()) // panics where the type breaks the rules of a body
	}
	if _, ok := templates.Lookup("driving_licence"); ok {
		t.Error("an unknown kind was found")
	}
}

func FuzzDecode(f *testing.F) {
	for s := range samples.All() {
		f.Add(s.Body)
	}
	for s := range samples.AllRefused() {
		f.Add(s.Body)
	}
	k := kind(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := k.Decode(raw, now)
		if err != nil {
			var faults wire.Faults
			if !errors.As(err, &faults) && !errors.As(err, new(*wire.SyntaxError)) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var fault *layout.Fault
		if _, err := templates.Render(context.Background(), r, issue); err != nil && !errors.As(err, &fault) {
			t.Fatal(err)
		}
	})
}

func BenchmarkRenderCoverage(b *testing.B) {
	for _, name := range []string{samples.Standard, "pensioner_portugal", "cover_ended"} {
		b.Run(name, func(b *testing.B) {
			r, err := kind(b).Decode(sample(b, name).Body, now)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := templates.Render(context.Background(), r, issue); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := sample(b, samples.Standard).Body
	k := kind(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Decode(raw, now); err != nil {
			b.Fatal(err)
		}
	}
}
