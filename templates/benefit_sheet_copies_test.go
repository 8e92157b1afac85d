package templates_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/wire"
)

func TestBenefitSheetRules(t *testing.T) {
	const sheets = "/data/sheets"
	sheet := func(b object, i int) object { return in(b, "data", "sheets", i) }
	line := func(b object, i, k int) object { return in(b, "data", "sheets", i, "lines", k) }
	bodiesOf(t, "benefit_sheet_copies").judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"not paid yet", func(b object) { delete(sheet(b, 0), "payment_number"); delete(sheet(b, 0), "paid_on") }, nil},
		{"half paid", func(b object) { delete(sheet(b, 0), "payment_number") }, []string{sheets + "/0/payment_number"}},
		{"a payment without a day", func(b object) { delete(sheet(b, 0), "paid_on") }, []string{sheets + "/0/paid_on"}},
		{"paid before it was made out", func(b object) { sheet(b, 0)["paid_on"] = "2025-02-10" }, []string{sheets + "/0/paid_on"}},
		{"a paper sheet without its picture", func(b object) { delete(sheet(b, 2), "scan") }, nil},
		{"not transcribed", func(b object) { sheet(b, 2)["lines"] = []any{} }, nil},
		{"without a cause", func(b object) { delete(sheet(b, 0), "cause") }, nil},
		{"a part", func(b object) { in(b, "data")["part"] = object{"number": 2, "of": 2} }, nil},
		{"a part beyond the last", func(b object) { in(b, "data")["part"] = object{"number": 3, "of": 2} }, []string{"/data/part/number"}},
		{"101 sheets", func(b object) { in(b, "data")["sheets"] = slices.Repeat([]any{sheet(b, 0)}, 101) },
			[]string{"/data/sheets"}},
		{"100 lines", func(b object) { sheet(b, 0)["lines"] = slices.Repeat([]any{line(b, 0, 0)}, 100) }, []string{sheets + "/0/lines"}},
		{"a sheet twice", func(b object) { sheet(b, 1)["sheet_number"] = "00000012345678" }, []string{sheets + "/1/sheet_number"}},
		{"a number with spaces", func(b object) { sheet(b, 1)["sheet_number"] = "1 2" }, []string{sheets + "/1/sheet_number"}},
		{"electronic without an identifier", func(b object) { delete(sheet(b, 0), "esheet_id") }, []string{sheets + "/0/esheet_id"}},
		{"an identifier that is none", func(b object) { sheet(b, 0)["esheet_id"] = "123/001" }, []string{sheets + "/0/esheet_id"}},
		{"paper with an identifier", func(b object) { sheet(b, 2)["esheet_id"] = "0000123/001/20250402/001/00001" }, []string{sheets + "/2/esheet_id"}},
		{"electronic with a picture", func(b object) { sheet(b, 0)["scan"] = sheet(b, 2)["scan"] }, []string{sheets + "/0/scan"}},
		{"received before it was made out", func(b object) { sheet(b, 0)["received_on"] = "2025-02-10" }, []string{sheets + "/0/received_on"}},
		{"received tomorrow", func(b object) { sheet(b, 0)["received_on"] = "2026-03-02" }, []string{sheets + "/0/received_on"}},
		{"made out tomorrow", func(b object) { delete(sheet(b, 0), "received_on"); sheet(b, 0)["issued_on"] = "2026-03-02" },
			[]string{sheets + "/0/issued_on", sheets + "/0/paid_on"}},
		{"an act of tomorrow", func(b object) { line(b, 0, 0)["act_date"] = "2026-03-02" }, []string{sheets + "/0/lines/0/act_date"}},
		{"an act before birth", func(b object) { line(b, 2, 0)["act_date"] = "2015-05-03" }, []string{sheets + "/2/lines/0/act_date"}},
		{"more than all", func(b object) { line(b, 0, 0)["rate"] = "100.01" }, []string{sheets + "/0/lines/0/rate"}},
		{"an adult patient", func(b object) { in(b, "data", "sheets", 2, "patient")["birth_date"] = "2000-01-01" }, []string{sheets + "/2/patient/consent"}},
		{"who agrees", func(b object) {
			p := in(b, "data", "sheets", 2, "patient")
			p["birth_date"], p["consent"] = "2000-01-01", true
		}, nil},
		{"the holder born on another day", func(b object) { in(b, "data", "sheets", 0, "patient")["birth_date"] = "1984-07-20" }, []string{sheets + "/0/patient/birth_date"}},
		{"a patient of an indirect person", func(b object) {
			in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "indirect", "spouse"
		}, []string{sheets + "/2/patient/cass_number"}},
		{"a line that changes", func(b object) { line(b, 0, 0)["amount"] = "19.02" }, []string{sheets + "/0/amount"}},
		{"a sheet that changes", func(b object) { sheet(b, 0)["amount"], line(b, 0, 0)["amount"] = "19.02", "19.02" }, []string{"/data/total"}},
		{"one sheet too many", func(b object) { in(b, "data")["sheet_count"] = 4 }, []string{"/data/sheet_count"}},
		{"sheets that cannot be read", func(b object) { in(b, "data")["sheets"], in(b, "data")["total"] = "three", "0.00" }, []string{"/data/sheets"}},
	})
}

func pngOf(t tester, w, h int, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if m == nil {
		m = image.NewGray(image.Rect(0, 0, w, h))
	}
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t tester, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// held says in a JPEG how the camera was held (EXIF orientation).
func held(file []byte, orientation byte) []byte {
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(exif)+2))...)
	return append(append(out, exif...), file[2:]...)
}

// headOnly is a PNG that says it has a size and stops there.
func headOnly(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

func TestScans(t *testing.T) {
	sheet := pngOf(t, 300, 400, nil)
	photo := jpegOf(t, image.NewGray(image.Rect(0, 0, 300, 400)))
	const content, media = "/data/sheets/2/scan/content", "/data/sheets/2/scan/media_type"
	f := bodiesOf(t, "benefit_sheet_copies")
	for _, c := range []struct {
		name, media string
		file        []byte
		at, says    string
	}{
		{"a PNG", "image/png", sheet, "", ""},
		{"a JPEG", "image/jpeg", photo, "", ""},
		{"a JPEG held sideways", "image/jpeg", held(photo, 8), "", ""},
		{"a JPEG whose EXIF is nonsense", "image/jpeg", held(photo, 99), "", ""},
		{"a PNG in colours and transparent", "image/png", pngOf(t, 0, 0, image.NewNRGBA(image.Rect(0, 0, 90, 90))), "", ""},
		{"a PNG of 16 bits", "image/png", pngOf(t, 0, 0, image.NewGray16(image.Rect(0, 0, 90, 90))), "", ""},
		{"as small as it may be", "image/png", pngOf(t, 50, 50, nil), "", ""},
		{"and smaller", "image/png", pngOf(t, 50, 49, nil), content, "pixels a side"},
		{"a line of 10,001 pixels", "image/png", pngOf(t, 10_001, 60, nil), content, "pixels a side"},
		{"a bomb", "image/png", headOnly(9000, 9000), content, "too many pixels"},
		{"a bomb of a size that cannot be", "image/png", headOnly(1<<31-1, 1<<31-1), content, ""},
		{"a head alone", "image/png", headOnly(300, 400), content, "damaged"},
		{"a PNG cut in half", "image/png", sheet[:len(sheet)/2], content, "damaged"},
		{"a JPEG cut in half", "image/jpeg", photo[:len(photo)/2], content, "damaged"},
		{"nothing but the mark of a JPEG", "image/jpeg", []byte("\xff\xd8\xff"), content, "damaged"},
		{"a JPEG that calls itself a PNG", "image/png", photo, media, "image/jpeg"},
		{"a PNG that calls itself a JPEG", "image/jpeg", sheet, media, "image/png"},
		{"a PDF", "image/png", []byte("%PDF-1.7\n…"), content, "PDF"},
		{"a PDF with something before it", "image/jpeg", append(make([]byte, 20), "%PDF-1.4"...), content, "PDF"},
		{"a GIF", "image/png", []byte("GIF89a\x01\x00\x01\x00"), content, "neither"},
		{"a page of HTML", "image/png", []byte("<script>alert(1)</script>"), content, "neither"},
		{"5 MiB", "image/png", append(slices.Clone(sheet), make([]byte, 5<<20)...), content, "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := f.sample(t, samples.Standard)
			in(b, "data", "sheets", 2)["scan"] = object{"media_type": c.media, "content": base64.StdEncoding.EncodeToString(c.file)}
			if c.at == "" {
				f.draw(t, b)
				return
			}
			if got := f.faults(t, b); len(got) != 1 || got[0] != c.at || !strings.Contains(f.detail(t, b, c.at), c.says) {
				t.Errorf("faults at %q, %q", got, f.detail(t, b, c.at))
			}
		})
	}
	for name, scan := range map[string]object{
		"another alphabet": {"media_type": "image/png", "content": base64.URLEncoding.EncodeToString([]byte{0xff, 0xef, 0xfe})},
		"no base64":        {"media_type": "image/png", "content": "data:image/png;base64,iVBO"},
		"empty":            {"media_type": "image/png", "content": ""},
		"a type of ours":   {"media_type": "application/pdf", "content": "JVBERi0="},
		"no type":          {"content": base64.StdEncoding.EncodeToString(sheet)},
	} {
		b := f.sample(t, samples.Standard)
		in(b, "data", "sheets", 2)["scan"] = scan
		if got := f.faults(t, b); len(got) != 1 || !strings.HasPrefix(got[0], "/data/sheets/2/scan/") {
			t.Errorf("%s: faults at %q", name, got)
		}
	}
}

// Scans that are each allowed are not, where all of them together would take too long to read.
func TestScansTogether(t *testing.T) {
	f := bodiesOf(t, "benefit_sheet_copies")
	b := f.sample(t, samples.Standard)
	paper := in(b, "data", "sheets", 2)
	paper["scan"] = object{"media_type": "image/png", "content": base64.StdEncoding.EncodeToString(headOnly(3000, 4000))}
	var list []any
	for i := range 26 {
		s := object{}
		for k, v := range paper {
			s[k] = v
		}
		s["sheet_number"] = numbered("S", i)
		list = append(list, s)
	}
	data := in(b, "data")
	data["sheets"], data["sheet_count"], data["total"] = list, len(list), euros(2570*26)
	if got := f.detail(t, b, "/data/sheets/25/scan/content"); !strings.Contains(got, "together") {
		t.Errorf("the 26th scan of twelve million pixels: %q", got)
	}
	if got := f.detail(t, b, "/data/sheets/24/scan/content"); !strings.Contains(got, "damaged") {
		t.Errorf("the 25th: %q", got)
	}
}

func TestBenefitSheetPages(t *testing.T) {
	f := bodiesOf(t, "benefit_sheet_copies")
	std := f.draw(t, f.sample(t, samples.Standard))
	if std.Title != "Còpies dels fulls de prestacions mèdiques "+issue.Number || std.Pages != 5 {
		t.Errorf("%q, %d pages", std.Title, std.Pages)
	}
	if !bytes.Contains(std.PDF, []byte("/Image")) {
		t.Error("the picture is not in the file")
	}
	has(t, pdftotext(t, std.PDF), "Còpies dels fulls de prestacions mèdiques", "Aquest document conté dades de salut.", "Nombre de fulls", "3",
		"als arxius de la Caixa Andorrana de Seguretat Social en data 1 de març del 2026", "1", "00000012345678", "19,01", "2", "00000012345991", "24,00", "3", "000778812", "25,70", "Total", "68,71",
		"Segellat electrònicament", "Full 1 de 3", "0000123/001/20250211/007/00042", "Dermatologia", "Sí", "Malaltia comuna", "pagat el dia 07/03/2025",
		"Full 2 de 3", "DO · Anàlisi clínica", "1,00", "10,00", "3,20", "32,00", "32,00", "75 %", "24,00",
		"Full 3 de 3", "Ferrer i Puig, Arnau (número CASS 000001B)", "Assegurat", "Puig i Cerqueda", "Imatge del full")

	// The cover is translated, the copy is not.
	b := f.sample(t, samples.Standard)
	b["language"] = "en"
	has(t, pdftotext(t, f.draw(t, b).PDF), "Copies of medical benefit sheets", "Sheets copied", "Sheet 1 of 3", "Pacient", "Sí", "Import (€)")

	mixed := pdftotext(t, f.draw(t, f.sample(t, "mixed_and_missing")).PDF)
	has(t, mixed, "Els actes d’aquest full no s’han transcrit", "Imatge no disponible.", "Accident de treball", "Pendent de pagament", "91,65")

	big := f.draw(t, f.sample(t, "sheet_of_99_lines"))
	if n := strings.Count(pdftotext(t, big.PDF), "90 %"); n != 99 {
		t.Errorf("%d of 99 lines are there", n)
	}
	hundred := f.draw(t, f.sample(t, "a_hundred_sheets"))
	has(t, pdftotext(t, hundred.PDF), "1 de 2 (un document té com a màxim 100 fulls)", "2.275,25", "Índex", "Full 100 de 100", fmt.Sprint(hundred.Pages), "Full 100 de 100")
	has(t, pdftotext(t, f.draw(t, f.sample(t, "no_sheets")).PDF), "No consten fulls de prestacions mèdiques.")
	for _, name := range []string{samples.Standard, "mixed_and_missing", "no_sheets"} {
		f.everyLanguageDraws(t, name)
	}
}

func TestBodyLimit(t *testing.T) {
	if got := bodiesOf(t, "benefit_sheet_copies").kind.BodyLimit(); got != 32<<20 {
		t.Errorf("scans may take %d bytes", got)
	}
	if got := bodiesOf(t, "coverage_certificate").kind.BodyLimit(); got != 1<<20 {
		t.Errorf("a certificate may take %d bytes", got)
	}
}

// Whatever sheets there are, with scans of whatever size and turned whichever way, they are copied.
func TestBenefitSheetProperty(t *testing.T) {
	first, asOf := wire.MustDate("2016-01-01"), wire.MustDate("2026-02-01")
	valid := func(t *rapid.T) object {
		sheets := []any{}
		var total int64
		for i := range rapid.IntRange(0, 5).Draw(t, "sheets") {
			day := aDay(t, first, asOf, "day")
			s := object{"sheet_number": numbered("S", i), "format": "electronic", "esheet_id": fmt.Sprintf("0000123/001/20260115/007/%05d", i), "issued_on": day.String(),
				"provider": object{"name": "Dra. Exemple", "contracted": rapid.Bool().Draw(t, "contracted")},
				"patient":  object{"full_name": "Ferrer i Puig, Arnau", "cass_number": "000001B", "birth_date": "2015-05-04"}}
			if rapid.Bool().Draw(t, "paid") {
				s["payment_number"], s["paid_on"] = numbered("P", i), day.AddDays(20).String()
			}
			if rapid.Bool().Draw(t, "paper") {
				s["format"] = "paper_scan"
				delete(s, "esheet_id")
				m := image.NewPaletted(image.Rect(0, 0, rapid.IntRange(50, 700).Draw(t, "width"), rapid.IntRange(50, 700).Draw(t, "height")), color.Palette{color.White, color.Black})
				switch rapid.IntRange(0, 2).Draw(t, "scan") {
				case 1:
					s["scan"] = object{"media_type": "image/png", "content": base64.StdEncoding.EncodeToString(pngOf(t, 0, 0, m))}
				case 2:
					file := held(jpegOf(t, m), byte(rapid.IntRange(0, 9).Draw(t, "orientation")))
					s["scan"] = object{"media_type": "image/jpeg", "content": base64.StdEncoding.EncodeToString(file)}
				}
			}
			lines := []any{}
			var sum int64
			for range rapid.IntRange(0, 4).Draw(t, "lines") {
				amount := rapid.Int64Range(-9_999, 99_999).Draw(t, "amount")
				sum += amount
				lines = append(lines, object{"act_date": day.String(), "act_code": "DO", "act": "Anàlisi", "quantity": "1.00", "tariff": "3.20", "price_charged": "32.00",
					"amount_paid_by_patient": "32.00", "rate": "75.00", "amount": euros(amount)})
			}
			s["lines"], s["amount"] = lines, euros(sum)
			total += sum
			sheets = append(sheets, s)
		}
		return envelope(person("direct", "employee"), object{"sheets": sheets, "sheet_count": len(sheets), "total": euros(total)})
	}
	breakages := func(b object) []breakage {
		data := in(b, "data")
		list := []breakage{
			{"/data/sheet_count", func(object) { data["sheet_count"] = 99 }},
			{"/data/total", func(object) { data["total"] = "87654321.09" }},
			{"/data/sheets", func(object) { delete(data, "sheets") }},
		}
		for i := range data["sheets"].([]any) {
			s, at := in(data, "sheets", i), fmt.Sprintf("/data/sheets/%d", i)
			list = append(list,
				breakage{at + "/amount", func(object) {
					s["lines"] = []any{object{"act_date": s["issued_on"], "act_code": "DO", "act": "Anàlisi", "quantity": "1.00", "tariff": "3.20", "price_charged": "32.00",
						"amount_paid_by_patient": "32.00", "rate": "75.00", "amount": "87654321.09"}}
				}},
				breakage{at + "/patient/consent", func(object) { in(s, "patient")["birth_date"] = "1999-01-01" }},
				breakage{at + "/scan", func(object) {
					s["format"], s["esheet_id"] = "electronic", "0000123/001/20260115/007/00042"
					s["scan"] = object{"media_type": "image/png", "content": "AAAA"}
				}},
				breakage{at + "/scan/content", func(object) {
					s["format"] = "paper_scan"
					s["scan"] = object{"media_type": "image/png", "content": "AAAA"}
				}},
			)
		}
		return list
	}
	bodiesOf(t, "benefit_sheet_copies").property(t, valid, breakages)
}

// Whatever comes as a scan, the door says yes or names a fault; it does not fall over.
func FuzzScan(f *testing.F) {
	sheet := pngOf(f, 60, 60, nil)
	photo := jpegOf(f, image.NewGray(image.Rect(0, 0, 60, 60)))
	for _, file := range [][]byte{sheet, photo, held(photo, 6), headOnly(9000, 9000), sheet[:60], photo[:200], []byte("%PDF-1.7")} {
		f.Add(file, true)
		f.Add(file, false)
	}
	k := bodiesOf(f, "benefit_sheet_copies")
	b := k.sample(f, samples.Standard)
	f.Fuzz(func(t *testing.T, file []byte, asPNG bool) {
		media := "image/jpeg"
		if asPNG {
			media = "image/png"
		}
		in(b, "data", "sheets", 2)["scan"] = object{"media_type": media, "content": base64.StdEncoding.EncodeToString(file)}
		_, err := k.decode(t, b)
		if faults := (wire.Faults{}); err != nil && !errors.As(err, &faults) {
			t.Fatal(err)
		}
		if err == nil {
			k.draw(t, b)
		}
	})
}

// What a camera writes beside a picture (its place, its owner) does not go into the document.
func TestScansLeaveNothingBesideThePicture(t *testing.T) {
	f := bodiesOf(t, "benefit_sheet_copies")
	b := f.sample(t, samples.Standard)
	photo := held(jpegOf(t, image.NewGray(image.Rect(0, 0, 300, 400))), 1)
	photo = append(photo, "something after the end"...)
	in(b, "data", "sheets", 2)["scan"] = object{"media_type": "image/jpeg", "content": base64.StdEncoding.EncodeToString(photo)}
	pdf := f.draw(t, b).PDF
	for _, beside := range []string{"Exif\x00", "something after the end"} {
		if bytes.Contains(pdf, []byte(beside)) {
			t.Errorf("%q is in the file", beside)
		}
	}
}
