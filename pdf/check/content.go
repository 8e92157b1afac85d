package check

import (
	"strconv"
)

// operands says how many operands an operator takes, −1 for any number. Operators that are not here are refused.
var operands = map[keyword]int{
	"q": 0, "Q": 0, "cm": 6, "w": 1, "d": 2, "gs": 1,
	"m": 2, "l": 2, "c": 6, "h": 0, "re": 4,
	"S": 0, "f": 0, "f*": 0, "B": 0, "B*": 0, "n": 0,
	"g": 1, "G": 1, "rg": 3, "RG": 3,
	"BT": 0, "ET": 0, "Tf": 2, "Td": 2, "TJ": 1,
	"BDC": 2, "EMC": 0, "Do": 1,
}

// page judges one page: its dictionary, its content, its annotations.
func (j *judge) page(number int, p *leaf) {
	at := "page " + strconv.Itoa(number+1)
	for _, key := range []name{"AA", "PresSteps", "Trans"} {
		if p.dict[key] != nil {
			j.violated("A 6.5", "%s has %s", at, key)
		}
	}
	box, _ := as[array](j.file, p.dict["MediaBox"])
	if len(box) != 4 || num(box[2]) < 3 || num(box[3]) < 3 || num(box[2]) > 14400 || num(box[3]) > 14400 {
		j.violated("A 6.1.13", "%s has no size", at)
	}
	resources, ok := as[dict](j.file, p.dict["Resources"])
	if !ok {
		j.violated("A 6.2.2", "%s has no resources of its own", at)
	}
	contents, ok := as[stream](j.file, p.dict["Contents"])
	if !ok {
		j.violated("PDF 7.7.3.3", "%s has no content", at)
		return
	}
	data, err := j.decode(contents)
	if err != nil {
		j.violated("PDF 7.8.2", "%s: %v", at, err)
		return
	}
	(&content{judge: j, at: at, page: p, resources: resources}).read(data)
	if p.sees {
		if group, ok := as[dict](j.file, p.dict["Group"]); !ok || group["S"] != name("Transparency") || group["CS"] != name("DeviceRGB") {
			j.violated("A 6.2.10", "%s is transparent and does not say in which colour space", at)
		}
	}
	j.annotations(at, p)
}

func num(v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// content is a content stream that is being gone through.
type content struct {
	*judge
	at        string // names the page
	page      *leaf
	resources dict
	operands  []any
	font      *fontFacts
	saved     []*fontFacts
	inText    bool
	marked    bool
	path      bool
}

// read goes through the stream, up to what keeps the rest from being understood.
func (c *content) read(data []byte) {
	l := &lexer{b: data}
	for !l.end() {
		v, err := l.object(0)
		if err != nil {
			c.violated("PDF 7.8.2", "%s: content: %v", c.at, err)
			return
		}
		op, ok := v.(keyword)
		if !ok {
			c.operands = append(c.operands, v)
			continue
		}
		if want, known := operands[op]; !known || want != len(c.operands) {
			c.violated("A 6.2.2", "%s: content: operator %s is unknown or has the wrong operands", c.at, op)
			return
		}
		for _, v := range c.operands {
			if n := num(v); n > 32767*16 || n < -32767*16 {
				c.violated("A 6.1.13", "%s: content: a number is out of range", c.at)
			}
		}
		if !c.operate(op) {
			return
		}
		c.operands = c.operands[:0]
	}
	if len(c.operands) > 0 || c.marked || c.inText || len(c.saved) > 0 {
		c.violated("PDF 7.8.2", "%s: content ends in the middle", c.at)
	}
}

// operate does what an operator says; false when the rest cannot be understood any more.
func (c *content) operate(op keyword) bool {
	switch op {
	case "q":
		if c.saved = append(c.saved, c.font); len(c.saved) > 28 {
			c.violated("A 6.1.13", "%s: more than 28 graphics states are saved", c.at)
		}
	case "Q":
		n := len(c.saved)
		if n == 0 {
			c.violated("PDF 8.4.2", "%s: Q without q", c.at)
			return false
		}
		c.font, c.saved = c.saved[n-1], c.saved[:n-1]
	case "BT", "ET", "Tf", "TJ":
		c.text(op)
	case "Do":
		c.owned("a picture")
		if v, ok := c.resource("XObject"); ok {
			c.picture(c.at, c.page, v)
		}
	case "gs":
		if v, ok := c.resource("ExtGState"); ok {
			c.state(c.at, c.page, v)
		}
	case "m", "l", "c", "re", "h":
		c.path = true
	case "S", "f", "f*", "B", "B*":
		c.owned("a line or area")
		if !c.path {
			c.violated("PDF 8.5.3", "%s paints no path", c.at)
		}
		c.path = false
	case "BDC":
		if c.marked {
			c.violated("UA 7.1", "%s has marked content in marked content", c.at)
		}
		c.marked = true
		c.mark(c.at, c.page, c.operands)
	case "EMC":
		if !c.marked {
			c.violated("PDF 14.6", "%s: EMC without BDC", c.at)
		}
		c.marked = false
	}
	return true
}

func (c *content) text(op keyword) {
	switch op {
	case "BT", "ET":
		if c.inText == (op == "BT") {
			c.violated("PDF 9.4.1", "%s: BT and ET do not match", c.at)
		}
		c.inText = op == "BT"
	case "Tf":
		if v, ok := c.resource("Font"); ok {
			c.font = c.judge.font(v)
		}
	case "TJ":
		c.owned("text")
		if c.font == nil || !c.inText {
			c.violated("PDF 9.4.3", "%s shows text without a font", c.at)
			return
		}
		parts, _ := c.operands[0].(array)
		for _, part := range parts {
			if s, ok := part.(text); ok {
				c.font.show(s)
			}
		}
	}
}

// resource returns what the first operand names.
func (c *content) resource(kind name) (any, bool) {
	all, _ := as[dict](c.file, c.resources[kind])
	key, ok := c.operands[0].(name)
	if !ok || all[key] == nil {
		c.violated("A 6.2.2", "%s uses a %s it does not have", c.at, kind)
		return nil, false
	}
	return all[key], true
}

// owned judges that what is shown is tagged or an artifact.
func (c *content) owned(what string) {
	if !c.marked {
		c.violated("UA 7.1", "%s has %s that is neither tagged nor an artifact", c.at, what)
	}
}

// mark notes a piece of marked content.
func (j *judge) mark(at string, p *leaf, stack []any) {
	tag, _ := stack[0].(name)
	properties, ok := stack[1].(dict)
	if !ok {
		j.violated("PDF 14.6.2", "%s: marked content has no property list", at)
		return
	}
	if tag == "Artifact" {
		if properties["MCID"] != nil {
			j.violated("UA 7.1", "%s: an artifact is tagged", at)
		}
		return
	}
	mcid, ok := properties["MCID"].(int)
	if _, twice := p.marks[mcid]; !ok || twice {
		j.violated("UA 7.1", "%s: marked content %s has no identifier of its own", at, tag)
		return
	}
	p.marks[mcid] = string(tag)
}

// state judges an extended graphics state: opacity and nothing else.
func (j *judge) state(at string, p *leaf, v any) {
	d, ok := as[dict](j.file, v)
	if !ok {
		j.violated("A 6.2.5", "%s uses a graphics state that is none", at)
		return
	}
	for key, v := range d {
		if key != "CA" && key != "ca" || num(v) < 0 || num(v) > 1 {
			j.violated("A 6.2.5", "%s uses a graphics state with %s", at, key)
		}
		p.sees = p.sees || num(v) < 1
	}
}

// picture judges an image.
func (j *judge) picture(at string, p *leaf, v any) {
	s, ok := as[stream](j.file, v)
	if !ok || s.dict["Subtype"] != name("Image") {
		j.violated("A 6.2.9", "%s uses an object that is no image", at)
		return
	}
	channels, known := map[any]int{name("DeviceRGB"): 3, name("DeviceGray"): 1}[s.dict["ColorSpace"]]
	if !known || s.dict["BitsPerComponent"] != 8 {
		j.violated("A 6.2.4", "%s has an image in an unknown colour space", at)
	}
	for _, key := range []name{"Interpolate", "Alternates", "OPI", "Decode", "Intent"} {
		if s.dict[key] != nil {
			j.violated("A 6.2.8", "%s has an image with %s", at, key)
		}
	}
	w, _ := s.dict["Width"].(int)
	h, _ := s.dict["Height"].(int)
	if s.dict["Filter"] == name("FlateDecode") {
		if data, err := j.decode(s); err != nil || len(data) != w*h*channels {
			j.violated("PDF 8.9.5", "%s has an image of another size than it says", at)
		}
	}
	if s.dict["SMask"] == nil {
		return
	}
	p.sees = true
	mask, ok := as[stream](j.file, s.dict["SMask"])
	data, err := j.decode(mask)
	if !ok || err != nil || mask.dict["ColorSpace"] != name("DeviceGray") || mask.dict["Width"] != w || mask.dict["Height"] != h || len(data) != w*h {
		j.violated("PDF 11.6.5.3", "%s has an image with a broken soft mask", at)
	}
}
