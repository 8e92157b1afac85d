package main

import "maps"

// words are what people read, by name.
type words map[string]string

// wordsOf is the words of all commands of staff with those of one, by language.
func wordsOf(language string, tables []map[string]words) words {
	all := maps.Clone(staffWords[language])
	for _, table := range tables {
		maps.Copy(all, table[language])
	}
	return all
}

// staffWords are the words that several commands of staff use.
var staffWords = map[string]words{
	"ca": {"number": "DOCUMENT", "kind": "TIPUS", "state": "ESTAT", "tries": "INTENTS", "why": "digueu per què: --reason RAÓ",
		"why hint":     "la raó queda al registre d'auditoria per sempre: una línia, sense noms ni números de cap persona",
		"no such kind": "no hi ha cap tipus %q: són %s", "unknown": "no hi ha cap sol·licitud %s", "unknown hint": "`segell jobs list` mostra les que s'han aturat",
		"no id":          "%q no és l'identificador d'una sol·licitud, com ara 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e",
		"issued already": "la sol·licitud %s ja té document, i no es pot anul·lar", "issued hint": "un document emès es retira: segell jobs withdraw",
		"not in force": "el document de la sol·licitud %s no és vigent", "not in force hint": "`segell jobs show` diu què se n'ha fet",
		"second needed": "en una hora ja heu actuat sobre tantes sol·licituds com pot una sola persona", "second needed hint": "que ho faci una altra persona, o feu-ne una actuació, que una altra persona aprova",
		"not replaceable": "el document de la sol·licitud %s no en pot substituir cap altre", "not replaceable hint": "el substitut ha de ser del mateix client, titular i tipus, emès, vigent i més nou"},
	"en": {"number": "DOCUMENT", "kind": "KIND", "state": "STATE", "tries": "TRIES", "why": "say why: --reason REASON",
		"why hint":     "the reason stays in the audit trail for ever: one line, without names or numbers of persons",
		"no such kind": "there is no kind %q: they are %s", "unknown": "there is no request %s", "unknown hint": "`segell jobs list` shows those that failed",
		"no id":          "%q is not the id of a request, such as 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e",
		"issued already": "the request %s has a document, and cannot be cancelled", "issued hint": "an issued document is withdrawn: segell jobs withdraw",
		"not in force": "the document of the request %s is not in force", "not in force hint": "`segell jobs show` tells what became of it",
		"second needed": "within an hour you acted on as many requests as one person may alone", "second needed hint": "let another person do it, or begin a bulk, which another person approves",
		"not replaceable": "the document of the request %s cannot replace another", "not replaceable hint": "what replaces must be of the same client, holder and kind, issued, in force, and newer"},
}

// jobsWords are those of `segell jobs`.
var jobsWords = map[string]words{
	"ca": {"id": "SOL·LICITUD", "failed": "ATURADA EL", "past": "ATURADA ABANS", "steps": "PASSOS", "what": "QUÈ HA PASSAT", "do": "QUÈ CAL FER", "none": "Tot bé: no hi ha cap sol·licitud aturada.",
		"none of these": "Cap de les sol·licituds aturades no és d'aquestes; `segell jobs list` les mostra totes.", "no such cause": "no hi ha cap causa %q: són %s", "no such state": "no hi ha cap estat %q: són %s",
		"none in state": "No n'hi ha cap.", "index away": "l'índex de la consola encara no és complet: `segell console` el fa", "index hint": "les aturades es llegeixen sense índex: --state failed",
		"count": "%d sol·licituds aturades.", "count1": "Una sol·licitud aturada.", "causes": "Per causa:", "accepted": "ACCEPTADA EL", "stage": "PAS", "cause": "CAUSA", "detail": "DETALL TÈCNIC",
		"shown":       "Es mostren %d de %d.",
		"number hint": "doneu l'identificador de la sol·licitud, que no necessita índex", "no number": "cap sol·licitud té el document %s", "number not yet": "l'índex de la consola encara no és complet, i no coneix el document %s",
		"number away": "l'índex de la consola no respon, i no se sap de quina sol·licitud és el document %s",
		"unreadable":  "malmesa: no es pot llegir", "unreadable do": "Restaureu-la de la còpia del magatzem; `segell check` i el registre de la màquina diuen què hi falla.",
		"paused kind": "en pausa: el tipus %s", "paused queue": "en pausa: la cua %s", "paused by": "PAUSADA PER", "why it was": "PER QUÈ",
		"cancelled at": "ANUL·LADA EL", "cancelled by": "ANUL·LADA PER", "in bulk": "ACTUACIÓ", "reason requested": "la va retirar qui la va demanar", "reason cannot_be_made": "el document no es pot fer",
		"reason asked_again": "una altra sol·licitud n'ocupa el lloc", "reason sent_in_error": "es va enviar per error", "reason holder_request": "ho ha demanat el titular",
		"next": "PROPER INTENT", "retried": "%d sol·licituds tornades a provar.", "retried1": "Una sol·licitud tornada a provar.", "retried0": "No s'ha tornat a provar cap sol·licitud.", "job": "EN CUA", "level": "SEGELL", "pages": "PÀGINES",
		"not failed": "no és cap de les aturades", "which": "digueu quines: sol·licituds, per identificador o número de document, o --cause CAUSA o --kind TIPUS, o --all", "no cause": "cap sol·licitud s'ha aturat per %q", "nothing": "cap sol·licitud aturada no és d'aquestes",
		"cancelled": "La sol·licitud %s queda anul·lada.\n", "withdrawn": "El document de la sol·licitud %s queda retirat.\n", "replaced": "El document de la sol·licitud %s queda substituït pel de %s.\n",
		"many cannot be made": "de moltes alhora només es pot dir --reason cannot_be_made",
		"state accepted":      "acceptada", "state failed": "aturada", "state issued": "emesa", "state withdrawn": "retirada", "state replaced": "substituïda", "state cancelled": "anul·lada", "state erased": "esborrada",
		"stage read": "llegir", "stage render": "compondre", "stage seal": "segellar", "stage store": "desar",
		"job pending": "espera torn", "job active": "en curs", "job delayed": "espera el proper intent", "job dead": "abandonada (es reprendrà sola)", "no job": "encara no (s'hi posarà sola)", "queue away": "la cua no respon",
	},
	"en": {"id": "REQUEST", "failed": "FAILED AT", "past": "FAILED BEFORE", "steps": "STEPS", "what": "WHAT HAPPENED", "do": "WHAT TO DO", "none": "All is well: no request has failed.",
		"none of these": "No request that failed is one of these; `segell jobs list` shows them all.", "no such cause": "there is no cause %q: they are %s", "no such state": "there is no state %q: they are %s",
		"none in state": "There is none.", "index away": "the console's index is not complete yet: `segell console` makes it", "index hint": "those that failed are read without the index: --state failed",
		"count": "%d requests have failed.", "count1": "One request has failed.", "causes": "By cause:", "accepted": "ACCEPTED AT", "stage": "STEP", "cause": "CAUSE", "detail": "TECHNICAL DETAIL",
		"shown":       "%d of %d are shown.",
		"number hint": "give the id of the request, which needs no index", "no number": "no request has the document %s", "number not yet": "the console's index is not complete yet, and does not know the document %s",
		"number away": "the console's index does not answer, so nobody knows whose the document %s is",
		"unreadable":  "damaged: it cannot be read", "unreadable do": "Restore it from the copy of the store; `segell check` and the log of the machine say what is wrong.",
		"paused kind": "paused: the kind %s", "paused queue": "paused: the queue %s", "paused by": "PAUSED BY", "why it was": "WHY",
		"cancelled at": "CANCELLED AT", "cancelled by": "CANCELLED BY", "in bulk": "BULK", "reason requested": "taken back by who asked for it", "reason cannot_be_made": "the document cannot be made",
		"reason asked_again": "another request took its place", "reason sent_in_error": "it was sent in error", "reason holder_request": "the holder asked for it",
		"next": "NEXT TRY", "retried": "%d requests are tried again.", "retried1": "One request is tried again.", "retried0": "No request was tried again.", "job": "IN THE QUEUE", "level": "SEAL", "pages": "PAGES",
		"not failed": "is not one of the failed", "which": "say which: requests, by id or number of document, or --cause CAUSE or --kind KIND, or --all", "no cause": "no request failed for %q", "nothing": "no request that failed is one of these",
		"cancelled": "The request %s is cancelled.\n", "withdrawn": "The document of the request %s is withdrawn.\n", "replaced": "The document of the request %s is replaced by that of %s.\n",
		"many cannot be made": "of many at once only --reason cannot_be_made can be said",
		"state accepted":      "accepted", "state failed": "failed", "state issued": "issued", "state withdrawn": "withdrawn", "state replaced": "replaced", "state cancelled": "cancelled", "state erased": "erased",
		"stage read": "read", "stage render": "render", "stage seal": "seal", "stage store": "store",
		"job pending": "waits its turn", "job active": "under way", "job delayed": "waits for its next try", "job dead": "given up by the queue (taken up again by itself)", "no job": "not yet (it gets there by itself)", "queue away": "the queue does not answer",
	},
}

// bulkWords are those of what is done to many requests.
var bulkWords = map[string]words{
	"ca": {"bulk": "ACTUACIÓ", "bulk what": "QUÈ", "who": "QUI", "begun": "PROPOSADA EL", "ended": "ACABADA EL", "reason": "MOTIU", "second": "SEGONA PERSONA", "stopper": "INTERROMPUDA PER",
		"total": "SOL·LICITUDS", "settled": "FINS ARA", "so far retry": "tornades a provar", "so far cancel": "anul·lades", "selection": "QUINES", "holds": "PER QUÈ NO CONTINUA",
		"sel ids": "%d de triades", "sel ids1": "una de triada", "sel all": "totes les aturades", "sel cause": "causa %s", "sel kinds": "tipus %s", "sel group": "grup %s", "sel from": "des del %s", "sel until": "fins al %s",
		"became": "QUÈ SE N'HA FET", "became counts": "%d emeses, %d aturades altre cop, %d encara en camí", "became text": "Ara mateix, d'aquestes: %s.", "no bulks": "No hi ha cap actuació.", "no bulk": "no hi ha cap actuació %s", "bulk hint": "`segell jobs bulk list` les mostra", "examples": "NO FETES",
		"act retry": "tornar a provar", "act retry_render": "tornar a compondre", "act cancel": "anul·lar",
		"bulk proposed": "espera una segona persona", "bulk running": "en curs", "bulk stopping": "s'interromp", "bulk stopped": "interrompuda", "bulk done": "acabada", "bulk refused": "refusada",
		"will retry": "Es tornaran a provar %d sol·licituds.", "will retry1": "Es tornarà a provar una sol·licitud.", "will retry0": "No es tornarà a provar cap sol·licitud.",
		"will cancel": "S'anul·laran %d sol·licituds.", "will cancel1": "S'anul·larà una sol·licitud.", "will cancel0": "No s'anul·larà cap sol·licitud.",
		"cannot": "No es pot amb %d:", "cannot1": "No es pot amb una:", "cannot unknown": "no existeix", "cannot waiting": "no està aturada", "cannot issued": "ja té document", "cannot cancelled": "està anul·lada",
		"cannot unreadable": "no es pot llegir", "cannot error": "hi ha hagut un error (vegeu el registre de la màquina)", "by kind": "Per tipus:", "by cause": "Per causa:",
		"needs second": "Caldrà que ho aprovi una segona persona.", "ask": "Voleu continuar? [s/N] ", "yes": "s", "left alone": "No s'ha fet res.", "say yes": "per fer-ho sense pregunta: --yes; per veure només el recompte: --dry-run",
		"proposed": "Espera una segona persona. Que ho aprovi amb: segell jobs bulk approve %s\n", "goes on": "Continua sola on hi hagi la consola. Aquí: segell jobs bulk follow %[1]s; per interrompre-la: segell jobs bulk stop %[1]s\n",
		"bulk retried": "%d sol·licituds tornades a provar.", "bulk retried1": "Una sol·licitud tornada a provar.", "bulk retried0": "No s'ha tornat a provar cap sol·licitud.",
		"bulk cancelled": "%d sol·licituds anul·lades.", "bulk cancelled1": "Una sol·licitud anul·lada.", "bulk cancelled0": "No s'ha anul·lat cap sol·licitud.",
		"was stopped": "L'actuació s'ha interromput abans d'acabar.", "was refused": "L'actuació s'ha refusat.", "stops": "S'interromp.", "approved": "Aprovada: comença.", "refused": "Refusada.",
		"same person": "qui ha proposat l'actuació no la pot aprovar", "same person hint": "cal una altra persona, amb el seu propi usuari", "nobody": "l'usuari %q no és de cap persona concreta", "bulk over": "l'actuació ja no està en un estat que ho permeti",
		"batch used": "amb aquest identificador ja s'ha començat una altra cosa: un altre acte, altres sol·licituds o una altra raó", "holds queue": "espera els treballadors", "holds away": "espera el magatzem o Redis", "holds damaged": "la llista de sol·licituds és malmesa, i no s'ha pogut continuar: torneu a triar les que queden",
		"no batch": "%q no és l'identificador de cap actuació", "batch hint": "un recompte en dona un: --dry-run --json", "batch time": "l'identificador no és de cap recompte de la darrera hora"},
	"en": {"bulk": "BULK", "bulk what": "WHAT", "who": "WHO", "begun": "PROPOSED AT", "ended": "ENDED AT", "reason": "WHY", "second": "SECOND PERSON", "stopper": "INTERRUPTED BY",
		"total": "REQUESTS", "settled": "SO FAR", "so far retry": "tried again", "so far cancel": "cancelled", "selection": "WHICH", "holds": "WHY IT DOES NOT GO ON",
		"sel ids": "%d chosen", "sel ids1": "one chosen", "sel all": "all that failed", "sel cause": "cause %s", "sel kinds": "kind %s", "sel group": "group %s", "sel from": "from %s", "sel until": "until %s",
		"became": "WHAT BECAME OF THEM", "became counts": "%d issued, %d failed again, %d still on their way", "became text": "Right now, of these: %s.", "no bulks": "There is no bulk.", "no bulk": "there is no bulk %s", "bulk hint": "`segell jobs bulk list` shows them", "examples": "NOT DONE",
		"act retry": "retry", "act retry_render": "render again", "act cancel": "cancel",
		"bulk proposed": "waits for a second person", "bulk running": "under way", "bulk stopping": "being interrupted", "bulk stopped": "interrupted", "bulk done": "done", "bulk refused": "refused",
		"will retry": "%d requests will be tried again.", "will retry1": "One request will be tried again.", "will retry0": "No request will be tried again.",
		"will cancel": "%d requests will be cancelled.", "will cancel1": "One request will be cancelled.", "will cancel0": "No request will be cancelled.",
		"cannot": "%d cannot:", "cannot1": "One cannot:", "cannot unknown": "there is no such request", "cannot waiting": "it has not failed", "cannot issued": "it has its document", "cannot cancelled": "it is cancelled",
		"cannot unreadable": "it cannot be read", "cannot error": "an error came between (the log of the machine tells)", "by kind": "By kind:", "by cause": "By cause:",
		"needs second": "A second person will have to approve it.", "ask": "Go on? [y/N] ", "yes": "y", "left alone": "Nothing was done.", "say yes": "to do it without a question: --yes; only to see the count: --dry-run",
		"proposed": "It waits for a second person, who approves it with: segell jobs bulk approve %s\n", "goes on": "It goes on by itself where the console runs. Here: segell jobs bulk follow %[1]s; to interrupt it: segell jobs bulk stop %[1]s\n",
		"bulk retried": "%d requests are tried again.", "bulk retried1": "One request is tried again.", "bulk retried0": "No request was tried again.",
		"bulk cancelled": "%d requests are cancelled.", "bulk cancelled1": "One request is cancelled.", "bulk cancelled0": "No request was cancelled.",
		"was stopped": "The bulk was interrupted before its end.", "was refused": "The bulk was refused.", "stops": "It is being interrupted.", "approved": "Approved: it begins.", "refused": "Refused.",
		"same person": "whoever proposed a bulk cannot approve it", "same person hint": "another person must, under a login of their own", "nobody": "the login %q is no one person's", "bulk over": "the bulk is past that",
		"batch used": "something else was begun under this id before: another act, other requests or another reason", "holds queue": "waits for the workers", "holds away": "waits for the store or Redis", "holds damaged": "the list of its requests is damaged, so it could not go on: choose again those that are left",
		"no batch": "%q is not the id of a bulk", "batch hint": "a count gives one: --dry-run --json", "batch time": "the id is of no count made within the last hour"},
}
