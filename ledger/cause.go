package ledger

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Nature says what becomes of a request when a cause is met.
type Nature string

const (
	// Permanent: trying again changes nothing until somebody mends the cause. The
	// request is given up at once and waits for staff.
	Permanent Nature = "permanent"
	// Transient: tried again with growing pauses, at most MaxTries times.
	Transient Nature = "transient"
	// Waiting: something Segell depends on is away. Waiting costs no try; it is
	// bounded by age alone.
	Waiting Nature = "waiting"
)

// MaxTries is how often a transient cause is met before a request is given up.
const MaxTries = 10

// MaxWait is how long a request is tried, from its first try that failed, while
// it waits for a dependency.
const MaxWait = 7 * 24 * time.Hour

// Wording is what staff read: what happened, and what to do about it.
type Wording struct{ What, Do string }

// Cause is one row of the table that decides for every way to fail.
type Cause struct {
	ID     string // also the metric label and the name of its runbook
	Nature Nature
	First  time.Duration // before the second try
	Most   time.Duration // the longest pause
	Portal string        // for the portal's developer, English
	Staff  map[string]Wording
}

// Causes is the table. Its ids are kept in failures for years: rows may be
// added and reworded, never renamed.
var Causes = []Cause{
	{ID: "missing_glyph", Nature: Permanent, Portal: "The request holds a character that cannot be printed.",
		Staff: map[string]Wording{
			"ca": {"El document conté un caràcter que cap de les nostres lletres té, i no el podem imprimir.", "Demaneu que el portal corregeixi la dada i torni a fer la sol·licitud; si el caràcter és legítim, aviseu l'equip tècnic."},
			"en": {"The document holds a character that none of our fonts has, so it cannot be printed.", "Have the portal correct the value and ask again; if the character is legitimate, tell the engineers."},
		}},
	{ID: "data_unusable", Nature: Permanent, Portal: "The data of the request cannot be made into a document.",
		Staff: map[string]Wording{
			"ca": {"Les dades de la sol·licitud no permeten fer el document.", "Aviseu l'equip tècnic: el detall diu quin camp és. Quan s'hagi esmenat, torneu-la a provar."},
			"en": {"The data of the request cannot be made into a document.", "Tell the engineers: the detail names the field. Retry it when that is mended."},
		}},
	{ID: "seal_certificate_expired", Nature: Permanent, Portal: "The document cannot be sealed at present; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El certificat del segell electrònic ha caducat, i no es pot segellar cap document.", "Feu instal·lar el certificat nou i després torneu a provar les sol·licituds."},
			"en": {"The certificate of the electronic seal has expired, so no document can be sealed.", "Have the new certificate installed, then retry the requests."},
		}},
	{ID: "seal_certificate_revoked", Nature: Permanent, Portal: "The document cannot be sealed at present; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El certificat del segell electrònic ha estat revocat: no es pot fer servir mai més.", "Aviseu de seguida el responsable de seguretat; quan hi hagi un certificat nou, torneu a provar les sol·licituds."},
			"en": {"The certificate of the electronic seal has been revoked: it may never be used again.", "Tell the security officer at once; when there is a new certificate, retry the requests."},
		}},
	{ID: "inspection_failed", Nature: Permanent, Portal: "The document did not pass inspection; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El document acabat no ha passat la nostra inspecció, i per això no s'ha publicat.", "Aviseu l'equip tècnic; no el torneu a provar fins que us ho diguin."},
			"en": {"The finished document did not pass our inspection, so it was not published.", "Tell the engineers; do not retry it before they say so."},
		}},
	{ID: "ledger_damaged", Nature: Permanent, Portal: "The stored request cannot be read; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"La sol·licitud desada no es pot llegir: l'objecte s'ha malmès.", "Aviseu l'equip tècnic; caldrà que la persona torni a demanar el document."},
			"en": {"The stored request cannot be read: the object is damaged.", "Tell the engineers; the person will have to ask for the document again."},
		}},
	{ID: "document_damaged", Nature: Permanent, Portal: "The stored document cannot be relied on; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El document ja segellat no coincideix amb el que s'havia desat: s'ha malmès al magatzem.", "Aviseu de seguida l'equip tècnic; no el lliureu a ningú."},
			"en": {"The sealed document is not what was stored: it was damaged in the store.", "Tell the engineers at once; give it to nobody."},
		}},
	{ID: "took_too_long", Nature: Transient, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The document took too long to make; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"Fer aquest document ha durat massa temps cada vegada.", "Torneu-lo a provar quan el sistema estigui menys carregat; si es repeteix, aviseu l'equip tècnic."},
			"en": {"Making this document took too long each time.", "Retry it when the system is less busy; if it happens again, tell the engineers."},
		}},
	{ID: "ended_the_worker", Nature: Transient, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The document could not be made; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"El programa s'ha aturat inesperadament mentre feia aquest document.", "Torneu-lo a provar una vegada; si es repeteix, aviseu l'equip tècnic."},
			"en": {"The program stopped unexpectedly while it made this document.", "Retry it once; if it happens again, tell the engineers."},
		}},
	{ID: "storage_away", Nature: Waiting, First: time.Second, Most: 30 * time.Second, Portal: "Storage is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El magatzem de documents no ha respost durant massa temps.", "Comproveu que el magatzem torna a funcionar i torneu a provar les sol·licituds."},
			"en": {"The document store did not answer for too long.", "Check that the store works again, then retry the requests."},
		}},
	{ID: "storage_refused", Nature: Waiting, First: 5 * time.Second, Most: 2 * time.Minute, Portal: "Storage refuses us; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El magatzem de documents rebutja les nostres credencials.", "Feu revisar les credencials del magatzem i torneu a provar les sol·licituds."},
			"en": {"The document store refuses our credentials.", "Have the store's credentials checked, then retry the requests."},
		}},
	{ID: "key_unknown", Nature: Waiting, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The request waits for a key.",
		Staff: map[string]Wording{
			"ca": {"La sol·licitud està xifrada amb una clau que aquest servidor no té.", "Feu instal·lar el joc de claus sencer i torneu a provar les sol·licituds."},
			"en": {"The request is encrypted under a key that this server does not have.", "Have the whole keyset installed, then retry the requests."},
		}},
	{ID: "seal_key_away", Nature: Waiting, First: 2 * time.Second, Most: time.Minute, Portal: "The sealing key is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"La clau del segell electrònic no ha respost durant massa temps.", "Comproveu el dispositiu de claus i torneu a provar les sol·licituds."},
			"en": {"The key of the electronic seal did not answer for too long.", "Check the key device, then retry the requests."},
		}},
	{ID: "revocation_away", Nature: Waiting, First: 2 * time.Second, Most: time.Minute, Portal: "What proves that the seal is not revoked is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"L'autoritat que diu si el certificat del segell és vigent no ha respost durant massa temps.", "Comproveu els servidors de revocació (OCSP, CRL) de l'autoritat de certificació i torneu a provar les sol·licituds."},
			"en": {"The authority that says whether the seal's certificate is in force did not answer for too long.", "Check the certification authority's revocation servers (OCSP, CRL), then retry the requests."},
		}},
	{ID: "tsa_away", Nature: Waiting, First: 2 * time.Second, Most: time.Minute, Portal: "The time-stamping authority is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"L'autoritat de segell de temps no ha respost com cal durant massa temps.", "Comproveu l'autoritat de segell de temps i torneu a provar les sol·licituds."},
			"en": {"The time-stamping authority did not answer properly for too long.", "Check the time-stamping authority, then retry the requests."},
		}},
	{ID: "unexpected", Nature: Transient, First: time.Second, Most: 5 * time.Minute, Portal: "The document could not be made; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"Hi ha hagut un error que el programa no coneix.", "Torneu-la a provar una vegada; si es repeteix, aviseu l'equip tècnic."},
			"en": {"There was an error that the program does not know.", "Retry it once; if it happens again, tell the engineers."},
		}},
}

// CauseOf returns the row with an id. An id that no row has (written by a later
// version, say) gives the row "unexpected" under that id.
func CauseOf(id string) Cause {
	var unexpected Cause
	for _, c := range Causes {
		if c.ID == id {
			return c
		}
		if c.ID == "unexpected" {
			unexpected = c
		}
	}
	unexpected.ID = id
	return unexpected
}

// Pause is how long to wait after n tries (1 after the first): doubled each
// time up to Most, less a random quarter so that many requests that failed
// together do not come back together.
func (c Cause) Pause(n int) time.Duration {
	pause := c.First
	for range n - 1 {
		if pause *= 2; pause >= c.Most {
			pause = c.Most
			break
		}
	}
	if pause <= 0 {
		return 0
	}
	return pause - time.Duration(rand.Int64N(int64(pause)/4+1))
}

// Wording returns what staff read in language, or in Catalan.
func (c Cause) Wording(language string) Wording {
	if w, ok := c.Staff[language]; ok {
		return w
	}
	return c.Staff["ca"]
}

func (f Failure) String() string { return fmt.Sprintf("%s: %s (%s)", f.Number, f.Cause, f.Stage) }
