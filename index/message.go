package index

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"segell/ledger"
)

// Two failures are alike if they say the same but for the values in it.

// values are taken out of a message, in this order; what stands in their place
// tells what they were.
var values = []struct {
	form    *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`"[^"]*"|“[^”]*”|«[^»]*»|‘[^’]*’|` + "`[^`]*`" + `|(^|[\s(:])'[^']*'`), ` "…"`},
	{regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s,;)]+`), "(address)"},
	{regexp.MustCompile(`(?i)\b[a-z0-9._%+-]+@[a-z0-9.-]+`), "(address)"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "(id)"},
	{regexp.MustCompile(`\bCASS-[0-9]{4}-[A-Z0-9]{3}-[0-9]+\b`), "(number)"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9:.]+(Z|[+-][0-9:]+)?)?`), "(time)"},
	{regexp.MustCompile(`\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](:[0-9]+)?`), "(address)"},
	{regexp.MustCompile(`\b[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?\b`), "(address)"},
	{regexp.MustCompile(`(?i)\b[a-z][a-z0-9-]*(\.[a-z0-9-]+)*:[0-9]{2,5}\b`), "(address)"},
	{regexp.MustCompile(`(?i)\bU\+[0-9a-f]{4,6}\b`), "U+#"},
	{regexp.MustCompile(`(?i)\b(0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]{5,}|[0-9a-f]{16,})\b`), "(hex)"},
	{regexp.MustCompile(`\b[0-9]{6}[A-Z]\b`), "#"},
	{regexp.MustCompile(`[0-9]+([.,:][0-9]+)*`), "#"},
	{regexp.MustCompile(`\s+`), " "},
}

// messageMost is how much of a message is kept, in characters.
const messageMost = 240

// normalise takes out of a failure's detail what differs between failures alike.
func normalise(detail string) string {
	if len(detail) > 4*messageMost {
		detail = detail[:4*messageMost] // what tells one fault from another comes first
	}
	text := strings.ToValidUTF8(detail, "")
	for _, v := range values {
		text = v.form.ReplaceAllString(text, v.instead)
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > messageMost {
		text = string(runes[:messageMost]) + "…"
	}
	return text
}

// groupID names the group of a stage, a cause and a message.
func groupID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:groupSize/2])
}

// grouping is the group that a failure belongs to.
type grouping struct{ id, stage, cause, message string }

func groupOf(f *ledger.Failure) grouping {
	g := grouping{stage: string(f.Stage), cause: f.Cause, message: normalise(f.Detail)}
	g.id = groupID("alike", g.stage, g.cause, g.message)
	return g
}

// otherOf is the group of those failures of a cause for which there was no room.
func otherOf(cause string) grouping {
	return grouping{id: groupID("other", cause), cause: cause}
}
