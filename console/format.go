package console

import (
	"fmt"
	"html/template"
	"reflect"
	"strconv"
	"strings"
	"time"

	"segell/ledger"
	"segell/templates"
)

// functions are what templates may call, each in the language of its page.
//
//	time T       2 març 2026, 10:32     (all of these as <time>, zero times as "–")
//	second T     2 març 2026, 10:32:05
//	date T       2 març 2026
//	clock T      10:32:05
//	ago T        fa 5 minuts
//	duration D   1,2 s · 3 min 20 s
//	number N     1.204
//	percent N D  N of D, as 12 %
//	plural F N   the form for N of {"one": …, "other": …}; more pairs as fill
//	fill TEXT "name" VALUE …   puts values into a text
//	kind ID, state S, cause ID (its ledger.Wording), causeName ID, stage S, queue S
//	pausedName P what a pause holds back
//	byCancel ID  a cause that a cancel ends, as its wording says
//	mask M       a holder's initials and the end of the CASS number
//	join LIST    with commas
//	last LIST    the index of its last element
//	query Q      a query that url.Values.Encode wrote, into an address
//	dict "name" VALUE …   a map, to give a part of a page several values
//	icon NAME    a drawing of icons.go
func (c *Console) functions(w *words) template.FuncMap {
	f := &formatter{words: w, zone: c.Zone, now: c.Now}
	return template.FuncMap{
		"time": f.time, "second": f.second, "date": f.date, "clock": f.clock, "ago": f.ago, "duration": f.duration,
		"number": f.number, "percent": f.percent, "plural": f.plural, "fill": fill,
		"kind": f.kind, "state": f.state, "stage": f.named("frame.stages"), "queue": f.named("frame.queues"),
		"cause": f.cause, "causeName": f.causeName, "byCancel": endedByCancel, "pausedName": f.pausedName, "mask": mask, "join": func(list []string) string { return strings.Join(list, ", ") },
		"icon": icon, "dict": dict, "last": func(list any) int { return reflect.ValueOf(list).Len() - 1 },
		"query": func(encoded string) template.URL { return template.URL(encoded) },
	}
}

// formatter writes values as a language does.
type formatter struct {
	*words
	zone *time.Location
	now  func() time.Time
}

const nothing = "–"

// element is a time for people and machines.
func (f *formatter) element(t time.Time, shown, title string) template.HTML {
	if t.IsZero() {
		return nothing
	}
	if title != "" {
		title = ` title="` + template.HTMLEscapeString(title) + `"`
	}
	return template.HTML(`<time datetime="` + t.In(f.zone).Format(time.RFC3339) + `"` + title + `>` + template.HTMLEscapeString(shown) + `</time>`)
}

func (f *formatter) dateText(t time.Time) string {
	t = t.In(f.zone)
	months, _ := f.at("frame.months").([]any)
	month := ""
	if len(months) == 12 {
		month, _ = months[t.Month()-1].(string)
	}
	return string(fill(f.text("frame.date"), "day", strconv.Itoa(t.Day()), "month", month, "year", strconv.Itoa(t.Year())))
}

func (f *formatter) timeText(t time.Time) string {
	return f.dateText(t) + ", " + t.In(f.zone).Format("15:04")
}

func (f *formatter) time(t time.Time) template.HTML {
	return f.element(t, f.timeText(t), f.timeText(t)+t.In(f.zone).Format(":05 -07:00"))
}

func (f *formatter) second(t time.Time) template.HTML {
	return f.element(t, f.timeText(t)+t.In(f.zone).Format(":05"), "")
}

func (f *formatter) date(t time.Time) template.HTML { return f.element(t, f.dateText(t), "") }

func (f *formatter) clock(t time.Time) template.HTML {
	return f.element(t, t.In(f.zone).Format("15:04:05"), f.timeText(t))
}

// ago says how long before now a time was, or how long after.
func (f *formatter) ago(t time.Time) template.HTML {
	d := f.now().Sub(t)
	key := "frame.ago"
	if d < 0 {
		key, d = "frame.ahead", -d
	}
	var shown template.HTML
	switch {
	case d < time.Minute:
		shown = template.HTML(template.HTMLEscapeString(f.text(key + ".moment")))
	case d < time.Hour:
		shown = f.plural(f.at(key+".minutes"), int64(d/time.Minute))
	case d < 48*time.Hour:
		shown = f.plural(f.at(key+".hours"), int64(d/time.Hour))
	default:
		shown = f.plural(f.at(key+".days"), int64(d/(24*time.Hour)))
	}
	return f.element(t, string(shown), f.timeText(t)) // plain words: nothing in them is escaped
}

// duration writes a length of time with two units at most.
func (f *formatter) duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strings.Replace(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".", f.text("frame.decimal"), 1) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return twoUnits(int(d/time.Minute), "min", int(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return twoUnits(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "min")
	default:
		return twoUnits(int(d/(24*time.Hour)), "d", int(d%(24*time.Hour)/time.Hour), "h")
	}
}

func twoUnits(n int, unit string, m int, lesser string) string {
	text := strconv.Itoa(n) + " " + unit
	if m > 0 {
		text += " " + strconv.Itoa(m) + " " + lesser
	}
	return text
}

// integer reads whatever kind of whole number a template has.
func integer(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case int32:
		return int64(n)
	case uint64:
		return int64(n)
	case float64:
		return int64(n)
	case *float64:
		if n != nil {
			return int64(*n)
		}
	}
	return 0
}

func (f *formatter) number(n any) string {
	digits := strconv.FormatInt(integer(n), 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + f.text("frame.thousands") + digits[i:]
	}
	return sign + digits
}

func (f *formatter) percent(part, whole any) string {
	if integer(whole) == 0 {
		return nothing
	}
	return strconv.FormatInt(integer(part)*100/integer(whole), 10) + " %"
}

// plural chooses the form for n and fills it; {n} is the number.
func (f *formatter) plural(forms any, n any, pairs ...any) template.HTML {
	key := "other"
	if count := integer(n); count == 1 || count == 0 && f.tag == "fr" { // CLDR, cardinal plural rules
		key = "one"
	}
	branch, _ := forms.(map[string]any)
	text, _ := branch[key].(string)
	return fill(text, append([]any{"n", f.number(n)}, pairs...)...)
}

// fill puts values into a text: {{fill .W.work.since "date" (date .Since)}}. What
// is not HTML already is escaped.
func fill(text string, pairs ...any) template.HTML {
	filled := template.HTMLEscapeString(text)
	for i := 0; i+1 < len(pairs); i += 2 {
		var value string
		switch v := pairs[i+1].(type) {
		case template.HTML:
			value = string(v)
		default:
			value = template.HTMLEscapeString(fmt.Sprint(v))
		}
		filled = strings.ReplaceAll(filled, fmt.Sprintf("{%v}", pairs[i]), value)
	}
	return template.HTML(filled)
}

// kind is what the documents of a kind are called; of one newer than this program
// better its identifier than nothing.
func (f *formatter) kind(id string) string {
	if kind, ok := templates.Lookup(id); ok {
		if title, ok := kind.Title(f.tag); ok {
			return title
		}
	}
	return id
}

// pausedName is what a kind or queue that is paused is called.
func (f *formatter) pausedName(p ledger.Pause) string {
	if p.Scope == ledger.PauseKind {
		return f.kind(p.Name)
	}
	return f.named("frame.queues")(p.Name)
}

func (f *formatter) state(s ledger.State) string { return f.named("frame.states")(string(s)) }

// named looks an identifier up in a branch of the words, or returns it.
func (f *formatter) named(branch string) func(id string) string {
	return func(id string) string {
		if text, ok := f.at(branch + "." + id).(string); ok {
			return text
		}
		return id
	}
}

func (f *formatter) cause(id string) ledger.Wording { return ledger.CauseOf(id).Wording(f.tag) }

// causeName is a cause in a few words, where its whole sentence is too long.
func (f *formatter) causeName(id string) string { return f.named("frame.causes")(id) }

// endedByCancel reports whether the wording of a cause says that the document must
// be asked for anew: then the request that failed is taken back, and tried again
// only where the engineers could mend it after all.
func endedByCancel(cause string) bool { return cause == "missing_glyph" || cause == "ledger_damaged" }

// mask shows a holder so that nobody learns who it is.
func mask(m ledger.Masked) string {
	return strings.TrimSpace(m.Initials + " " + m.CASSNumber)
}

// dict makes a map of names and values, to give a part of a page several.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: a name without a value")
	}
	made := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		made[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return made, nil
}
