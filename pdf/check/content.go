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
	j.content(at, p, resources, data)
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

// content goes through a content stream.
func (j *judge) content(at string, p *leaf, resources dict, data []byte) {
	l := &lexer{b: data}
	var stack []any
	var font *fontFacts
	var saved []*fontFacts
	inText, marked, path := false, false, false
	resource := func(kind name, v any) (any, bool) {
		all, _ := as[dict](j.file, resources[kind])
		key, ok := v.(name)
		if !ok || all[key] == nil {
			j.violated("A 6.2.2", "%s uses a %s it does not have", at, kind)
			return nil, false
		}
		return all[key], true
	}
	own := func(what string) {
		if !marked {
			j.violated("UA 7.1", "%s has %s that is neither tagged nor an artifact", at, what)
		}
	}
	for !l.end() {
		v, err := l.object(0)
		if err != nil {
			j.violated("PDF 7.8.2", "%s: content: %v", at, err)
			return
		}
		op, ok := v.(keyword)
		if !ok {
			stack = append(stack, v)
			continue
		}
		want, known := operands[op]
		if !known || want != len(stack) {
			j.violated("A 6.2.2", "%s: content: operator %s is unknown or has the wrong operands", at, op)
			return
		}
		for _, v := range stack {
			if n := num(v); n > 32767*16 || n < -32767*16 {
				j.violated("A 6.1.13", "%s: content: a number is out of range", at)
			}
		}
		switch op {
		case "q":
			if saved = append(saved, font); len(saved) > 28 {
				j.violated("A 6.1.13", "%s: more than 28 graphics states are saved", at)
			}
		case "Q":
			if len(saved) == 0 {
				j.violated("PDF 8.4.2", "%s: Q without q", at)
				return
			}
			font, saved = saved[len(saved)-1], saved[:len(saved)-1]
		case "BT", "ET":
			if inText == (op == "BT") {
				j.violated("PDF 9.4.1", "%s: BT and ET do not match", at)
			}
			inText = op == "BT"
		case "Tf":
			if v, ok := resource("Font", stack[0]); ok {
				font = j.font(v)
			}
		case "TJ":
			own("text")
			if font == nil || !inText {
				j.violated("PDF 9.4.3", "%s shows text without a font", at)
				break
			}
			a, _ := stack[0].(array)
			for _, part := range a {
				if s, ok := part.(text); ok {
					font.show(s)
				}
			}
		case "Do":
			own("a picture")
			if v, ok := resource("XObject", stack[0]); ok {
				j.picture(at, p, v)
			}
		case "gs":
			if v, ok := resource("ExtGState", stack[0]); ok {
				j.state(at, p, v)
			}
		case "m", "l", "c", "re", "h":
			path = true
		case "S", "f", "f*", "B", "B*":
			own("a line or area")
			if !path {
				j.violated("PDF 8.5.3", "%s paints no path", at)
			}
			path = false
		case "BDC":
			if marked {
				j.violated("UA 7.1", "%s has marked content in marked content", at)
			}
			marked = true
			j.mark(at, p, stack)
		case "EMC":
			if !marked {
				j.violated("PDF 14.6", "%s: EMC without BDC", at)
			}
			marked = false
		}
		stack = stack[:0]
	}
	if len(stack) > 0 || marked || inText || len(saved) > 0 {
		j.violated("PDF 7.8.2", "%s: content ends in the middle", at)
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
