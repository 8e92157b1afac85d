package templates

import "segell/wire"

// What the documents about medical benefits have in common.

// adulthood is the age, in months, from which the holder sees another's acts only with their consent.
const adulthood = 18 * 12

// consentRules judges whether somebody other than the holder may be on the holder's document.
func consentRules(r *Request, born wire.Date, consent bool, at string, j *judgement) {
	if !consent && !born.IsZero() && !r.DataAsOf.IsZero() && !born.AddMonths(adulthood).After(r.DataAsOf) {
		j.Add(at+"/consent", "must be true: this person is an adult, whose acts the holder sees only with their consent; leave the person out where there is none")
	}
}

// settledRules judges the number and the day of a payment, which are there where something was paid.
func settledRules(paid bool, number string, on *wire.Date, act, asOf wire.Date, at string, j *judgement) {
	switch {
	case paid && number == "":
		j.Add(at+"/payment_number", "is missing; give it where something was paid")
	case !paid && number != "":
		j.Add(at+"/payment_number", "must be left out where nothing was paid")
	}
	switch {
	case paid && on == nil:
		j.Add(at+"/paid_on", "is missing; give the day where something was paid")
	case !paid && on != nil:
		j.Add(at+"/paid_on", "must be left out where nothing was paid")
	case on != nil && on.Before(act):
		j.Add(at+"/paid_on", "must not be before the act")
	case on != nil && !asOf.IsZero() && on.After(asOf):
		j.Add(at+"/paid_on", "must not be after data_as_of; what is to be paid later is pending")
	}
}

// periodFromTo judges a period of days that a list covers.
func periodFromTo(r *Request, from, to wire.Date, j *judgement) {
	if !from.IsZero() && from.Before(r.Holder.BirthDate) {
		j.Add("/data/period_from", "must not be before the date of birth")
	}
	switch {
	case to.IsZero():
	case to.Before(from):
		j.Add("/data/period_to", "must not be before period_from")
	case !r.DataAsOf.IsZero() && to.After(r.DataAsOf):
		j.Add("/data/period_to", "must not be after data_as_of")
	}
}
