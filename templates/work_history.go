package templates

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"segell/layout"
	"segell/wire"
)

// WorkHistory is the data of an informe de vida laboral: every period in which a
// person was affiliated, with whom and how, and what lies between.
//
// The portal gives the periods and the totals its register has; Segell derives
// days, gaps and overlaps from the periods, prints what it derived, and refuses
// totals that say otherwise. A day on which two periods meet counts once. A
// period that begins after data_as_of counts nothing yet: an affiliation may be
// declared up to seven days early.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, arts. 18
// to 21 and 25 to 28. Validity: none of its own, it states what the register
// held on data_as_of.
type WorkHistory struct {
	Entries          []WorkEntry `json:"entries" maxItems:"1000" uniqueItems:"true" doc:"Every period of affiliation, in any order; an empty list where there is none"`
	CurrentlyActive  bool        `json:"currently_active" doc:"Whether a period is in force on data_as_of" example:"true"`
	Totals           WorkTotals  `json:"totals" doc:"What the register adds up; checked against the periods"`
	NewAddressAbroad []string    `json:"new_address_abroad,omitempty" maxItems:"5" doc:"Where the person moves to, if the report is for that: a postal address outside Andorra, one item per line of at most 60 characters, with the country" example:"[\"12 rue des Lilas\",\"31000 Toulouse\",\"FRANCE\"]"`
}

// WorkEntry is a period of affiliation.
type WorkEntry struct {
	Employer       string     `json:"employer,omitempty" minLength:"1" maxLength:"100" doc:"Name of the employer as it was then, also where it was renamed or dissolved since; needed for employee and domestic" example:"Hotel Exemple, SA"`
	EmployerNumber string     `json:"employer_number,omitempty" minLength:"1" maxLength:"20" doc:"CASS number of the employer" example:"E00001"`
	Activity       string     `json:"activity_type" term:"work_history.activity" enum:"employee,self_employed,domestic,voluntary,special_regime" doc:"Regime of the affiliation (Llei 17/2008, arts. 18 to 21)" example:"employee"`
	Start          wire.Date  `json:"start" doc:"First day (alta)" example:"2019-09-01"`
	End            *wire.Date `json:"end,omitempty" doc:"Last day (baixa); absent where the period is in force" example:"2025-04-30"`
	Months         int        `json:"months_contributed" minimum:"0" maximum:"1500" doc:"Months with contributions in this period, up to data_as_of" example:"78"`
}

// WorkTotals are the sums of a work history up to data_as_of.
type WorkTotals struct {
	Days        int `json:"days" minimum:"0" maximum:"50000" doc:"Days of affiliation, those of periods that meet counted once" example:"2375"`
	OverlapDays int `json:"overlap_days" minimum:"0" maximum:"5000000" doc:"What was left out by counting once: the days of all periods added up, less days" example:"0"`
	Months      int `json:"months" minimum:"0" maximum:"1500" doc:"Months with contributions, a month with several employers counted once" example:"78"`
}

var workHistory = &Kind{
	ID:         "work_history",
	Code:       "LAB",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[WorkHistory]](),
	decode:     decoder(workRules),
	validUntil: never,
	compose:    composeWork,
}

// earlyDays is how long before its first day an affiliation may be declared.
const earlyDays = 7

func workRules(r *Request, d *WorkHistory, _ wire.Date, j *judgement) {
	sound := !r.DataAsOf.IsZero() && j.readable("/data/entries")
	for i, e := range d.Entries {
		at := wire.Pointer("data", "entries", i)
		if e.Start.IsZero() {
			sound = false
			continue // said already
		}
		before := len(j.found)
		switch {
		case e.Start.Before(r.Holder.BirthDate):
			j.Add(at+"/start", "must not be before the date of birth")
		case e.Start.Before(firstMonth.First()):
			j.Add(at+"/start", "must not be before 1968-04, when the regime began")
		case !r.DataAsOf.IsZero() && e.Start.After(r.DataAsOf.AddDays(earlyDays)):
			j.Addf(at+"/start", "must not be more than %d days after data_as_of; an affiliation cannot be declared earlier", earlyDays)
		}
		if e.End != nil && e.End.Before(e.Start) {
			j.Add(at+"/end", "must not be before start; a period of one day has both the same")
		}
		if e.Employer == "" && (e.Activity == "employee" || e.Activity == "domestic") {
			j.Add(at+"/employer", "is missing; an employee has one, give its name")
		}
		nameRules(e.Employer, at+"/employer", j)
		nameRules(e.EmployerNumber, at+"/employer_number", j)
		if !r.DataAsOf.IsZero() && len(j.found) == before {
			if most := monthsOf(merge([]span{e.until(r.DataAsOf)})); e.Months > most {
				j.Addf(at+"/months_contributed", "must not be more than the %d months that the period touches up to data_as_of", most)
			}
		}
		sound = sound && len(j.found) == before
	}
	addressRules(d.NewAddressAbroad, "/data/new_address_abroad", j)
	if !sound {
		return // totals of periods that are wrong say nothing
	}

	c := careerOf(d.Entries, r.DataAsOf)
	if d.CurrentlyActive != (c.current > 0) {
		if c.current > 0 {
			j.Add("/data/currently_active", "must be true; a period is in force on data_as_of")
		} else {
			j.Add("/data/currently_active", "must be false; no period is in force on data_as_of")
		}
	}
	if c.current > 0 && r.Holder.Situation == "none" {
		j.Add("/holder/situation", "must not be none; a period is in force on data_as_of")
	}
	counts(j, "/data/totals/days", d.Totals.Days, c.days, "the days of the periods up to data_as_of, each counted once")
	counts(j, "/data/totals/overlap_days", d.Totals.OverlapDays, c.overlap, "the days of all periods up to data_as_of, less those counted once")
	least, most := 0, 0
	for _, e := range d.Entries {
		least, most = max(least, e.Months), most+e.Months
	}
	if most = min(most, monthsOf(c.worked)); d.Totals.Months < least || d.Totals.Months > most {
		j.Addf("/data/totals/months", "does not agree with the periods; a month counts once, so they give from %d to %d", least, most)
	}
}

// until is the part of a period up to a day; it is empty where the period begins later.
func (e *WorkEntry) until(asOf wire.Date) span {
	if e.End != nil && e.End.Before(asOf) {
		return span{e.Start, *e.End}
	}
	return span{e.Start, asOf}
}

// career is what a list of periods comes to.
type career struct {
	entries []WorkEntry // by first day
	worked  []span      // the same days without what meets, in order
	gaps    []span      // between them
	days    int         // of worked
	overlap int         // days of all entries, less days
	current int         // how many are in force
	future  []WorkEntry // how many begin later
}

func careerOf(entries []WorkEntry, asOf wire.Date) career {
	c := career{entries: slices.Clone(entries)}
	slices.SortStableFunc(c.entries, func(a, b WorkEntry) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Employer, b.Employer))
	})
	all := make([]span, 0, len(entries))
	for _, e := range c.entries {
		s := e.until(asOf)
		c.overlap += s.days()
		all = append(all, s)
		switch {
		case e.Start.After(asOf):
			c.future = append(c.future, e)
		case e.End == nil || !e.End.Before(asOf):
			c.current++
		}
	}
	c.worked = merge(all)
	for i, s := range c.worked {
		c.days += s.days()
		if i > 0 {
			c.gaps = append(c.gaps, span{c.worked[i-1].to.AddDays(1), s.from.AddDays(-1)})
		}
	}
	c.overlap -= c.days
	return c
}

func composeWork(r *Request, is Issue, w *words) page {
	d := r.Data.(*WorkHistory)
	c := careerOf(d.Entries, r.DataAsOf)
	asOf := w.LongDate(r.DataAsOf)
	p := page{titleKey: "work_history.title"}
	holder := holderFields(r, w)
	if len(d.NewAddressAbroad) > 0 {
		holder = append(holder, layout.Field{Label: w.say("work_history.new_address"), Value: strings.Join(d.NewAddressAbroad, "\n"), Wide: true})
	}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("work_history.lead")},
		workSummary(r, d, &c, w),
		layout.Heading{Text: w.say("holder.heading")},
		holder,
	}
	if len(c.entries) > 0 {
		p.blocks = append(p.blocks,
			layout.Heading{Text: w.say("work_history.periods")},
			layout.Paragraph(w.say("work_history.states", "Issuer", is.SealedBy, "Date", asOf)),
			workTable(r, d, &c, w),
			layout.Note{Text: w.say("work_history.how_counted", "Date", asOf) + " " + w.say("work_history.foreign")},
		)
	} else {
		p.blocks = append(p.blocks, layout.Note{Text: w.say("work_history.foreign")})
	}
	p.blocks = append(p.blocks, layout.Text{Spans: []layout.Span{
		{Text: w.say("work_history.missing"), Strong: true}, {Text: " " + w.say("work_history.missing_do")},
	}})
	note := layout.Note{Text: w.say("work_history.legal_basis", "Date", asOf)}
	p.blocks = append(p.blocks, append(layout.Together{note}, closing(is, w)...))
	return p
}

// workSummary says in plain words what the table comes to.
func workSummary(r *Request, d *WorkHistory, c *career, w *words) layout.Notice {
	asOf := w.LongDate(r.DataAsOf)
	var spans []layout.Span
	say := func(strong bool, text string) {
		if len(spans) > 0 {
			text = " " + text
		}
		spans = append(spans, layout.Span{Text: text, Strong: strong})
	}
	if len(c.worked) == 0 {
		say(true, w.say("work_history.none", "Date", asOf))
	} else {
		say(true, w.count("work_history.summary", len(c.entries)-len(c.future),
			"From", w.LongDate(c.worked[0].from), "To", w.LongDate(c.worked[len(c.worked)-1].to),
			"Days", w.count("work_history.days_count", c.days), "Months", w.count("work_history.months_contributed", d.Totals.Months)))
		if c.current > 0 {
			say(false, w.say("work_history.active", "Date", asOf))
		} else {
			say(false, w.say("work_history.inactive", "Date", asOf, "Last", w.LongDate(c.worked[len(c.worked)-1].to)))
		}
		if c.overlap > 0 {
			say(false, w.say("work_history.overlap", "Days", w.count("work_history.days_count", c.overlap)))
		}
		if n := len(c.gaps); n > 0 {
			days := 0
			for _, g := range c.gaps {
				days += g.days()
			}
			say(false, w.count("work_history.gaps_summary", n, "Days", w.count("work_history.days_count", days)))
		} else {
			say(false, w.say("work_history.no_gaps"))
		}
	}
	for _, e := range c.future {
		say(false, w.say("work_history.future", "Date", w.LongDate(e.Start)))
	}
	return layout.Notice{Spans: spans}
}

// workTable lists the periods by first day, and between them the gaps.
func workTable(r *Request, d *WorkHistory, c *career, w *words) layout.Table {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("work_history.employer"), Share: 57},
		{Head: w.say("work_history.regime"), Share: 35},
		{Head: w.say("work_history.start"), Share: 19},
		{Head: w.say("work_history.end"), Share: 19},
		{Head: w.say("work_history.days"), Share: 15, Right: true},
		{Head: w.say("work_history.months"), Share: 25, Right: true},
	}}
	gaps := c.gaps
	for _, e := range c.entries {
		if len(gaps) > 0 && e.Start.After(gaps[0].to) {
			g := gaps[0]
			t.Body = append(t.Body, layout.Row{Kind: layout.RemarkRow, Cells: []string{
				w.say("work_history.gap", "From", w.ShortDate(g.from), "To", w.ShortDate(g.to), "Days", w.count("work_history.days_count", g.days()))}})
			gaps = gaps[1:]
		}
		employer, end := e.Employer, w.say("work_history.in_force")
		if employer == "" {
			employer = "–"
		}
		if e.EmployerNumber != "" {
			employer += " (" + e.EmployerNumber + ")"
		}
		if e.End != nil {
			end = w.ShortDate(*e.End)
		}
		t.Body = append(t.Body, layout.Row{Cells: []string{employer, w.term("work_history.activity", e.Activity), w.ShortDate(e.Start), end,
			w.CountCell(e.until(r.DataAsOf).days()), w.CountCell(e.Months)}})
	}
	if c.overlap > 0 {
		t.Body = append(t.Body, layout.Row{Kind: layout.SubtotalRow, Cells: []string{w.say("work_history.overlap_row"), "", "", "", w.CountCell(-c.overlap), ""}})
	}
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: []string{w.say("total"), "", "", "", w.CountCell(c.days), w.CountCell(d.Totals.Months)}})
	return t
}
