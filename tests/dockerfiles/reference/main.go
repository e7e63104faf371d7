// Reads Dockerfiles as BuildKit does, by its own packages: one JSON string (the file in base64) a line on standard input,
// one JSON object a line on standard output. No build arguments are given; what BuildKit sets itself is unknown here.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// One FROM. Lines count from 1, and the last one belongs to it.
type stage struct {
	Name     string `json:"name"`
	Base     string `json:"base"`
	Platform string `json:"platform"`
	// Base without build arguments; null where it needs one.
	Expanded *string `json:"expanded"`
	// The number of the stage that it builds on.
	On    *int `json:"on"`
	First int  `json:"first"`
	Last  int  `json:"last"`
}

// An image, not a stage, of COPY --from or RUN --mount=from=.
type other struct {
	Stage int    `json:"stage"`
	Kind  string `json:"kind"`
	Image string `json:"image"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

// One instruction, continued lines joined, without its comments; a here-document's text is part of it.
type node struct {
	Text  string `json:"text"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

type answer struct {
	Error  string  `json:"error,omitempty"`
	Stages []stage `json:"stages"`
	Others []other `json:"others"`
	Nodes  []node  `json:"nodes"`
}

// What BuildKit sets before the first ARG; its values depend on the machine and the target.
var platform = map[string]bool{
	"BUILDPLATFORM": true, "BUILDOS": true, "BUILDOSVERSION": true, "BUILDARCH": true, "BUILDVARIANT": true,
	"TARGETPLATFORM": true, "TARGETOS": true, "TARGETOSVERSION": true, "TARGETARCH": true, "TARGETVARIANT": true,
	"TARGETSTAGE": true,
}

type args struct {
	values  map[string]string
	unknown map[string]bool
	asked   bool
}

func (a *args) Get(key string) (string, bool) {
	if a.unknown[key] {
		a.asked = true
		return "?", true
	}
	value, ok := a.values[key]
	return value, ok
}

func (a *args) Keys() []string {
	var keys []string
	for key := range a.values {
		keys = append(keys, key)
	}
	return keys
}

// The word's value; known is false where it depends on something that only a build says.
func (a *args) expand(lex *shell.Lex, text string) (value string, known bool, err error) {
	a.asked = false
	result, err := lex.ProcessWordWithMatches(text, a)
	if err != nil {
		return "", false, err
	}
	for name := range result.Unmatched {
		word := regexp.QuoteMeta(name)
		// One with a default, or something else in its place, needs no value.
		end := `($|[^\pL\pN_])`
		if strings.ContainsAny(name, "@*#?-$!") {
			end = ``
		}
		needed := regexp.MustCompile(`\$` + word + end + `|\$\{` + word + `[}#%/]`)
		if needed.MatchString(text) {
			return "", false, nil
		}
	}
	return result.Result, !a.asked, nil
}

func read(text []byte) (out answer, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return out, err
	}
	for _, child := range file.AST.Children {
		text := child.Original
		for _, heredoc := range child.Heredocs {
			text += "\n" + heredoc.Content
		}
		out.Nodes = append(out.Nodes, node{text, child.StartLine, child.EndLine})
	}
	stages, meta, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return out, err
	}
	if len(stages) == 0 {
		return out, fmt.Errorf("no stages")
	}
	lex := shell.NewLex(file.EscapeToken)
	known := &args{values: map[string]string{}, unknown: map[string]bool{}}
	for name := range platform {
		known.unknown[name] = true
	}
	for _, command := range meta {
		for _, arg := range command.Args {
			if arg.Value == nil {
				continue
			}
			value, sure, err := known.expand(lex, *arg.Value)
			if err != nil {
				return out, err
			}
			known.unknown[arg.Key] = !sure
			known.values[arg.Key] = value
		}
	}
	names := map[string]int{}
	for index, one := range stages {
		base, sure, err := known.expand(lex, one.BaseName)
		if err != nil {
			return out, err
		}
		row := stage{Name: one.Name, Base: one.BaseName, Platform: one.Platform}
		row.First, row.Last = one.Location[0].Start.Line, one.Location[len(one.Location)-1].End.Line
		if sure {
			if base == "" {
				return out, fmt.Errorf("base name is blank")
			}
			row.Expanded = &base
			if on, ok := names[strings.ToLower(base)]; ok {
				row.On = &on
			}
		}
		out.Stages = append(out.Stages, row)
		if one.Name != "" {
			names[strings.ToLower(one.Name)] = index
		}
	}
	for index, one := range stages {
		for _, command := range one.Commands {
			lines := command.Location()
			first, last := lines[0].Start.Line, lines[len(lines)-1].End.Line
			add := func(kind, image string) {
				if _, isStage := names[strings.ToLower(image)]; image != "" && !isStage {
					out.Others = append(out.Others, other{index, kind, image, first, last})
				}
			}
			switch command := command.(type) {
			case *instructions.CopyCommand:
				if _, err := strconv.Atoi(command.From); err != nil {
					add("copy", command.From)
				}
			case *instructions.RunCommand:
				// Only the last look at a mount knows its `from`; names of arguments stay as they are.
				same := func(word string) (string, error) { return word, nil }
				if err := command.Expand(same); err != nil {
					return out, err
				}
				for _, mount := range instructions.GetMounts(command) {
					add("mount", mount.From)
				}
			}
		}
	}
	return out, nil
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var text []byte
		if err := json.Unmarshal(line, &text); err != nil {
			panic(err)
		}
		found, err := read(text)
		if err != nil {
			found.Error = err.Error()
		}
		if err := encoder.Encode(found); err != nil {
			panic(err)
		}
		out.Flush()
	}
}
