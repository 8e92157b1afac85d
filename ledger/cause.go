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
	// Dependency names what every document needs and is away. Workers take no more
	// jobs then, so the pauses above are short: few jobs ever take one. Empty where
	// other requests can go on.
	Dependency string
	Portal     string // for the portal's developer, English
	Staff      map[string]Wording
}

// The dependencies of every document.
const (
	Storage    = "storage"
	SealKey    = "seal_key"
	Revocation = "revocation"
	TSA        = "tsa"
)

// Causes is the table. Its ids are kept in failures for years: rows may be
// added and reworded, never renamed.
var Causes = []Cause{
	{ID: "missing_glyph", Nature: Permanent, Portal: "The request holds a character that cannot be printed.",
		Staff: map[string]Wording{
			"ca": {"El document conté un caràcter que cap de les nostres lletres té, i no el podem imprimir.", "Demaneu que el portal corregeixi la dada i torni a fer la sol·licitud; si el caràcter és legítim, aviseu l'equip tècnic."},
			"en": {"The document holds a character that none of our fonts has, so it cannot be printed.", "Have the portal correct the value and ask again; if the character is legitimate, tell the engineers."},
			"es": {"El documento contiene un carácter que ninguna de nuestras letras tiene y no podemos imprimirlo.", "Pida que el portal corrija el dato y vuelva a hacer la solicitud; si el carácter es legítimo, avise al equipo técnico."},
			"fr": {"Le document contient un caractère qu’aucune de nos polices ne possède, et nous ne pouvons pas l’imprimer.", "Demandez que le portail corrige la donnée et refasse la demande ; si le caractère est légitime, prévenez l’équipe technique."},
			"pt": {"O documento contém um carácter que nenhum dos nossos tipos de letra tem e não o podemos imprimir.", "Peça que o portal corrija o dado e faça de novo o pedido; se o carácter for legítimo, avise a equipa técnica."},
		}},
	{ID: "data_unusable", Nature: Permanent, Portal: "The data of the request cannot be made into a document.",
		Staff: map[string]Wording{
			"ca": {"Les dades de la sol·licitud no permeten fer el document.", "Aviseu l'equip tècnic: el detall diu quin camp és. Quan s'hagi esmenat, torneu-la a provar."},
			"en": {"The data of the request cannot be made into a document.", "Tell the engineers: the detail names the field. Retry it when that is mended."},
			"es": {"Los datos de la solicitud no permiten hacer el documento.", "Avise al equipo técnico: el detalle dice qué campo es. Cuando esté corregido, vuelva a intentarlo."},
			"fr": {"Les données de la demande ne permettent pas d’établir le document.", "Prévenez l’équipe technique : le détail indique le champ. Réessayez quand il est corrigé."},
			"pt": {"Os dados do pedido não permitem fazer o documento.", "Avise a equipa técnica: o detalhe diz qual é o campo. Quando estiver corrigido, tente de novo."},
		}},
	{ID: "seal_certificate_expired", Nature: Permanent, Portal: "The document cannot be sealed at present; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El certificat del segell electrònic ha caducat, i no es pot segellar cap document.", "Feu instal·lar el certificat nou i després torneu a provar les sol·licituds."},
			"en": {"The certificate of the electronic seal has expired, so no document can be sealed.", "Have the new certificate installed, then retry the requests."},
			"es": {"El certificado del sello electrónico ha caducado y no se puede sellar ningún documento.", "Haga instalar el certificado nuevo y después vuelva a intentar las solicitudes."},
			"fr": {"Le certificat du cachet électronique a expiré : aucun document ne peut être scellé.", "Faites installer le nouveau certificat, puis réessayez les demandes."},
			"pt": {"O certificado do selo eletrónico expirou e não se pode selar nenhum documento.", "Mande instalar o novo certificado e depois tente de novo os pedidos."},
		}},
	{ID: "seal_certificate_revoked", Nature: Permanent, Portal: "The document cannot be sealed at present; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El certificat del segell electrònic ha estat revocat: no es pot fer servir mai més.", "Aviseu de seguida el responsable de seguretat; quan hi hagi un certificat nou, torneu a provar les sol·licituds."},
			"en": {"The certificate of the electronic seal has been revoked: it may never be used again.", "Tell the security officer at once; when there is a new certificate, retry the requests."},
			"es": {"El certificado del sello electrónico ha sido revocado: no se puede volver a usar nunca.", "Avise enseguida al responsable de seguridad; cuando haya un certificado nuevo, vuelva a intentar las solicitudes."},
			"fr": {"Le certificat du cachet électronique a été révoqué : il ne doit plus jamais servir.", "Prévenez aussitôt le responsable de la sécurité ; quand il y a un nouveau certificat, réessayez les demandes."},
			"pt": {"O certificado do selo eletrónico foi revogado: nunca mais pode ser usado.", "Avise já o responsável de segurança; quando houver um novo certificado, tente de novo os pedidos."},
		}},
	{ID: "inspection_failed", Nature: Permanent, Portal: "The document did not pass inspection; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El document acabat no ha passat la nostra inspecció, i per això no s'ha publicat.", "Aviseu l'equip tècnic; no el torneu a provar fins que us ho diguin."},
			"en": {"The finished document did not pass our inspection, so it was not published.", "Tell the engineers; do not retry it before they say so."},
			"es": {"El documento acabado no ha pasado nuestra inspección y por eso no se ha publicado.", "Avise al equipo técnico; no lo vuelva a intentar hasta que se lo digan."},
			"fr": {"Le document terminé n’a pas passé notre inspection et n’a donc pas été publié.", "Prévenez l’équipe technique ; ne réessayez pas avant son accord."},
			"pt": {"O documento acabado não passou na nossa inspeção e por isso não foi publicado.", "Avise a equipa técnica; não tente de novo até que lho digam."},
		}},
	{ID: "below_level", Nature: Transient, First: 10 * time.Second, Most: 5 * time.Minute, Portal: "The document's seal was not complete; it is made again.",
		Staff: map[string]Wording{
			"ca": {"El segell del document acabat no arriba al nivell que es demana, i per això no s'ha publicat.", "Aviseu l'equip tècnic: és una alarma. Quan ho hagin revisat, torneu-la a provar."},
			"en": {"The seal of the finished document does not reach the level asked for, so it was not published.", "Tell the engineers: this is an alarm. Retry it when they have looked into it."},
			"es": {"El sello del documento acabado no llega al nivel que se pide y por eso no se ha publicado.", "Avise al equipo técnico: es una alarma. Cuando lo hayan revisado, vuelva a intentarlo."},
			"fr": {"Le cachet du document terminé n’atteint pas le niveau demandé : il n’a donc pas été publié.", "Prévenez l’équipe technique : c’est une alarme. Réessayez quand elle l’a examiné."},
			"pt": {"O selo do documento acabado não atinge o nível pedido e por isso não foi publicado.", "Avise a equipa técnica: é um alarme. Quando o tiverem examinado, tente de novo."},
		}},
	{ID: "ledger_damaged", Nature: Permanent, Portal: "The stored request cannot be read; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"La sol·licitud desada no es pot llegir: l'objecte s'ha malmès.", "Aviseu l'equip tècnic; caldrà que la persona torni a demanar el document."},
			"en": {"The stored request cannot be read: the object is damaged.", "Tell the engineers; the person will have to ask for the document again."},
			"es": {"La solicitud guardada no se puede leer: el objeto está dañado.", "Avise al equipo técnico; la persona tendrá que volver a pedir el documento."},
			"fr": {"La demande enregistrée ne peut pas être lue : l’objet est endommagé.", "Prévenez l’équipe technique ; la personne devra redemander le document."},
			"pt": {"O pedido guardado não se pode ler: o objeto está danificado.", "Avise a equipa técnica; a pessoa terá de pedir de novo o documento."},
		}},
	{ID: "document_damaged", Nature: Permanent, Portal: "The stored document cannot be relied on; staff have been told.",
		Staff: map[string]Wording{
			"ca": {"El document ja segellat no coincideix amb el que s'havia desat: s'ha malmès al magatzem.", "Aviseu de seguida l'equip tècnic; no el lliureu a ningú."},
			"en": {"The sealed document is not what was stored: it was damaged in the store.", "Tell the engineers at once; give it to nobody."},
			"es": {"El documento ya sellado no coincide con el que se había guardado: se ha dañado en el almacén.", "Avise enseguida al equipo técnico; no lo entregue a nadie."},
			"fr": {"Le document scellé n’est pas celui qui avait été enregistré : il a été endommagé dans le stockage.", "Prévenez aussitôt l’équipe technique ; ne le remettez à personne."},
			"pt": {"O documento já selado não coincide com o que tinha sido guardado: danificou-se no armazém.", "Avise já a equipa técnica; não o entregue a ninguém."},
		}},
	{ID: "took_too_long", Nature: Transient, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The document took too long to make; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"Fer aquest document ha durat massa temps cada vegada.", "Torneu-lo a provar quan el sistema estigui menys carregat; si es repeteix, aviseu l'equip tècnic."},
			"en": {"Making this document took too long each time.", "Retry it when the system is less busy; if it happens again, tell the engineers."},
			"es": {"Hacer este documento ha durado demasiado cada vez.", "Vuelva a intentarlo cuando el sistema esté menos cargado; si se repite, avise al equipo técnico."},
			"fr": {"La préparation de ce document a duré trop longtemps à chaque essai.", "Réessayez quand le système est moins chargé ; si cela se répète, prévenez l’équipe technique."},
			"pt": {"Fazer este documento demorou demasiado de cada vez.", "Tente de novo quando o sistema estiver menos carregado; se se repetir, avise a equipa técnica."},
		}},
	{ID: "ended_the_worker", Nature: Transient, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The document could not be made; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"El programa s'ha aturat inesperadament mentre feia aquest document.", "Torneu-lo a provar una vegada; si es repeteix, aviseu l'equip tècnic."},
			"en": {"The program stopped unexpectedly while it made this document.", "Retry it once; if it happens again, tell the engineers."},
			"es": {"El programa se ha parado inesperadamente mientras hacía este documento.", "Vuelva a intentarlo una vez; si se repite, avise al equipo técnico."},
			"fr": {"Le programme s’est arrêté de façon inattendue pendant la préparation de ce document.", "Réessayez une fois ; si cela se répète, prévenez l’équipe technique."},
			"pt": {"O programa parou inesperadamente enquanto fazia este documento.", "Tente de novo uma vez; se se repetir, avise a equipa técnica."},
		}},
	{ID: "storage_away", Nature: Waiting, First: time.Second, Most: 5 * time.Second, Dependency: Storage, Portal: "Storage is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El magatzem de documents no ha respost durant massa temps.", "Comproveu que el magatzem torna a funcionar i torneu a provar les sol·licituds."},
			"en": {"The document store did not answer for too long.", "Check that the store works again, then retry the requests."},
			"es": {"El almacén de documentos no ha respondido durante demasiado tiempo.", "Compruebe que el almacén vuelve a funcionar y vuelva a intentar las solicitudes."},
			"fr": {"Le stockage des documents n’a pas répondu pendant trop longtemps.", "Vérifiez que le stockage fonctionne de nouveau, puis réessayez les demandes."},
			"pt": {"O armazém de documentos não respondeu durante demasiado tempo.", "Verifique que o armazém voltou a funcionar e tente de novo os pedidos."},
		}},
	{ID: "storage_refused", Nature: Waiting, First: 5 * time.Second, Most: 2 * time.Minute, Dependency: Storage, Portal: "Storage refuses us; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El magatzem de documents rebutja les nostres credencials.", "Feu revisar les credencials del magatzem i torneu a provar les sol·licituds."},
			"en": {"The document store refuses our credentials.", "Have the store's credentials checked, then retry the requests."},
			"es": {"El almacén de documentos rechaza nuestras credenciales.", "Haga revisar las credenciales del almacén y vuelva a intentar las solicitudes."},
			"fr": {"Le stockage des documents refuse nos identifiants.", "Faites vérifier les identifiants du stockage, puis réessayez les demandes."},
			"pt": {"O armazém de documentos recusa as nossas credenciais.", "Mande rever as credenciais do armazém e tente de novo os pedidos."},
		}},
	{ID: "key_unknown", Nature: Waiting, First: 5 * time.Second, Most: 5 * time.Minute, Portal: "The request waits for a key.",
		Staff: map[string]Wording{
			"ca": {"La sol·licitud està xifrada amb una clau que aquest servidor no té.", "Feu instal·lar el joc de claus sencer i torneu a provar les sol·licituds."},
			"en": {"The request is encrypted under a key that this server does not have.", "Have the whole keyset installed, then retry the requests."},
			"es": {"La solicitud está cifrada con una clave que este servidor no tiene.", "Haga instalar el juego de claves entero y vuelva a intentar las solicitudes."},
			"fr": {"La demande est chiffrée avec une clé que ce serveur n’a pas.", "Faites installer le jeu de clés complet, puis réessayez les demandes."},
			"pt": {"O pedido está cifrado com uma chave que este servidor não tem.", "Mande instalar o conjunto completo de chaves e tente de novo os pedidos."},
		}},
	{ID: "seal_key_away", Nature: Waiting, First: 2 * time.Second, Most: 5 * time.Second, Dependency: SealKey, Portal: "The sealing key is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"La clau del segell electrònic no ha respost durant massa temps.", "Comproveu el dispositiu de claus i torneu a provar les sol·licituds."},
			"en": {"The key of the electronic seal did not answer for too long.", "Check the key device, then retry the requests."},
			"es": {"La clave del sello electrónico no ha respondido durante demasiado tiempo.", "Compruebe el dispositivo de claves y vuelva a intentar las solicitudes."},
			"fr": {"La clé du cachet électronique n’a pas répondu pendant trop longtemps.", "Vérifiez le dispositif de clés, puis réessayez les demandes."},
			"pt": {"A chave do selo eletrónico não respondeu durante demasiado tempo.", "Verifique o dispositivo de chaves e tente de novo os pedidos."},
		}},
	{ID: "seal_key_refused", Nature: Waiting, First: 5 * time.Second, Most: time.Minute, Dependency: SealKey, Portal: "The sealing key refuses us; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El magatzem de la clau del segell electrònic rebutja les nostres credencials (PIN, permís o clau desactivada).", "Feu revisar el PIN, els permisos i l'estat de la clau; després reinicieu els treballadors."},
			"en": {"The store of the electronic seal's key refuses us (PIN, permission, or a key that was disabled).", "Have the PIN, the permissions and the key's state checked, then restart the workers."},
			"es": {"El almacén de la clave del sello electrónico rechaza nuestras credenciales (PIN, permiso o clave desactivada).", "Haga revisar el PIN, los permisos y el estado de la clave; después reinicie los procesos de trabajo."},
			"fr": {"Le coffre de la clé du cachet électronique nous refuse (code PIN, autorisation ou clé désactivée).", "Faites vérifier le code PIN, les autorisations et l’état de la clé, puis redémarrez les processus de travail."},
			"pt": {"O cofre da chave do selo eletrónico recusa-nos (PIN, permissão ou chave desativada).", "Mande verificar o PIN, as permissões e o estado da chave; depois reinicie os processos de trabalho."},
		}},
	{ID: "seal_certificate_not_begun", Nature: Waiting, First: 5 * time.Second, Most: time.Minute, Dependency: SealKey, Portal: "The document cannot be sealed yet; the request waits.",
		Staff: map[string]Wording{
			"ca": {"El certificat del segell electrònic encara no és vàlid, o el rellotge del servidor va endarrerit.", "Comproveu el rellotge del servidor i la data d'inici del certificat; les sol·licituds esperen."},
			"en": {"The certificate of the electronic seal is not valid yet, or the server's clock is behind.", "Check the server's clock and the day on which the certificate begins; the requests wait."},
			"es": {"El certificado del sello electrónico aún no es válido, o el reloj del servidor va atrasado.", "Compruebe el reloj del servidor y la fecha de inicio del certificado; las solicitudes esperan."},
			"fr": {"Le certificat du cachet électronique n’est pas encore valable, ou l’horloge du serveur retarde.", "Vérifiez l’horloge du serveur et la date de début du certificat ; les demandes attendent."},
			"pt": {"O certificado do selo eletrónico ainda não é válido, ou o relógio do servidor está atrasado.", "Verifique o relógio do servidor e a data de início do certificado; os pedidos esperam."},
		}},
	{ID: "revocation_away", Nature: Waiting, First: 2 * time.Second, Most: 5 * time.Second, Dependency: Revocation, Portal: "What proves that the seal is not revoked is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"L'autoritat que diu si el certificat del segell és vigent no ha respost durant massa temps.", "Comproveu els servidors de revocació (OCSP, CRL) de l'autoritat de certificació i torneu a provar les sol·licituds."},
			"en": {"The authority that says whether the seal's certificate is in force did not answer for too long.", "Check the certification authority's revocation servers (OCSP, CRL), then retry the requests."},
			"es": {"La autoridad que dice si el certificado del sello está vigente no ha respondido durante demasiado tiempo.", "Compruebe los servidores de revocación (OCSP, CRL) de la autoridad de certificación y vuelva a intentar las solicitudes."},
			"fr": {"L’autorité qui indique si le certificat du cachet est en vigueur n’a pas répondu pendant trop longtemps.", "Vérifiez les serveurs de révocation (OCSP, CRL) de l’autorité de certification, puis réessayez les demandes."},
			"pt": {"A autoridade que diz se o certificado do selo está em vigor não respondeu durante demasiado tempo.", "Verifique os servidores de revogação (OCSP, CRL) da autoridade de certificação e tente de novo os pedidos."},
		}},
	{ID: "tsa_away", Nature: Waiting, First: 2 * time.Second, Most: 5 * time.Second, Dependency: TSA, Portal: "The time-stamping authority is out of reach; the request waits.",
		Staff: map[string]Wording{
			"ca": {"L'autoritat de segell de temps no ha respost com cal durant massa temps.", "Comproveu l'autoritat de segell de temps i torneu a provar les sol·licituds."},
			"en": {"The time-stamping authority did not answer properly for too long.", "Check the time-stamping authority, then retry the requests."},
			"es": {"La autoridad de sellado de tiempo no ha respondido como debe durante demasiado tiempo.", "Compruebe la autoridad de sellado de tiempo y vuelva a intentar las solicitudes."},
			"fr": {"L’autorité d’horodatage n’a pas répondu comme il faut pendant trop longtemps.", "Vérifiez l’autorité d’horodatage, puis réessayez les demandes."},
			"pt": {"A autoridade de validação cronológica não respondeu como deve durante demasiado tempo.", "Verifique a autoridade de validação cronológica e tente de novo os pedidos."},
		}},
	{ID: "unexpected", Nature: Transient, First: time.Second, Most: 5 * time.Minute, Portal: "The document could not be made; it is tried again.",
		Staff: map[string]Wording{
			"ca": {"Hi ha hagut un error que el programa no coneix.", "Torneu-la a provar una vegada; si es repeteix, aviseu l'equip tècnic."},
			"en": {"There was an error that the program does not know.", "Retry it once; if it happens again, tell the engineers."},
			"es": {"Ha habido un error que el programa no conoce.", "Vuelva a intentarlo una vez; si se repite, avise al equipo técnico."},
			"fr": {"Il s’est produit une erreur que le programme ne connaît pas.", "Réessayez une fois ; si cela se répète, prévenez l’équipe technique."},
			"pt": {"Houve um erro que o programa não conhece.", "Tente de novo uma vez; se se repetir, avise a equipa técnica."},
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
