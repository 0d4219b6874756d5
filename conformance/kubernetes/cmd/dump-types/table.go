package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// table is the file as a whole. Flags that are false, numbers that are absent and empty lists are left out.
type table struct {
	KubernetesVersion string
	Types             map[string]*typeFacts
	Kinds             []kindFacts
}

type typeFacts struct {
	goType  reflect.Type
	MapType string
	Unions  any
	Fields  []fieldFacts
}

// fieldFacts is one JSON field. Wire is that of one element for a list; Within lists, outermost first, the numbers of the messages that hold the field in protobuf
// where Go inlines the struct into the JSON object (Volume: hostPath is number 1 within 2).
type fieldFacts struct {
	Name          string `json:"name"`
	Number        int    `json:"number,omitempty"`
	Wire          string `json:"wire,omitempty"`
	Within        []int  `json:"within,omitempty"`
	OmitEmpty     bool   `json:"omitEmpty,omitempty"`
	OmitZero      bool   `json:"omitZero,omitempty"`
	Pointer       bool   `json:"pointer,omitempty"`
	Required      bool   `json:"required,omitempty"`
	Type          *shape `json:"type"`
	ListType      string `json:"listType,omitempty"`
	ListMapKeys   any    `json:"listMapKeys,omitempty"`
	PatchStrategy string `json:"patchStrategy,omitempty"`
	PatchMergeKey string `json:"patchMergeKey,omitempty"`
	MapType       string `json:"mapType,omitempty"`
	Default       any    `json:"default,omitempty"`
	Enum          []any  `json:"enum,omitempty"`
}

// shape is the T of the table.
type shape struct {
	Kind     string `json:"k"`
	Of       *shape `json:"of,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Wrapped  bool   `json:"wrapped,omitempty"`
	Pointer  bool   `json:"pointer,omitempty"`
	ListType string `json:"listType,omitempty"`
	Enum     []any  `json:"enum,omitempty"`
}

func (s *shape) wire() string {
	switch s.Kind {
	case "bool", "int32", "int64":
		return "varint"
	case "float64":
		return "fixed64"
	case "list":
		if !s.Wrapped {
			return s.Of.wire()
		}
	}
	return "bytes"
}

type kindFacts struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Kind     string `json:"kind"`
	Type     string `json:"type"`
	ListType string `json:"listType,omitempty"`
}

func (k kindFacts) key() string { return k.Group + "/" + k.Version + "/" + k.Kind }

func (t *typeFacts) has(name string) bool {
	return slices.ContainsFunc(t.Fields, func(f fieldFacts) bool { return f.Name == name })
}

// render writes one line per field and per kind, so that a version bump reads well as a diff.
func (t *table) render() ([]byte, error) {
	var out bytes.Buffer
	w := &lineWriter{out: &out}
	w.text("{ \"kubernetesVersion\": ").value(t.KubernetesVersion).text(",\n\"types\": {\n")
	for i, name := range slices.Sorted(maps.Keys(t.Types)) {
		facts := t.Types[name]
		w.separator(i).value(name).text(": {")
		if facts.MapType != "" {
			w.text("\"mapType\":").value(facts.MapType).text(",")
		}
		if facts.Unions != nil {
			w.text("\"unions\":").value(facts.Unions).text(",")
		}
		w.text("\"fields\":[")
		for j, field := range facts.Fields {
			if j == 0 {
				w.text("\n")
			}
			w.separator(j).text(" ").value(field)
		}
		w.text("]}")
	}
	w.text("\n},\n\"kinds\": [\n")
	for i, kind := range t.Kinds {
		w.separator(i).value(kind)
	}
	w.text("\n] }\n")
	return out.Bytes(), w.err
}

type lineWriter struct {
	out *bytes.Buffer
	err error
}

func (w *lineWriter) text(text string) *lineWriter {
	w.out.WriteString(text)
	return w
}

func (w *lineWriter) separator(index int) *lineWriter {
	if index > 0 {
		w.out.WriteString(",\n")
	}
	return w
}

func (w *lineWriter) value(value any) *lineWriter {
	encoder := json.NewEncoder(w.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil && w.err == nil {
		w.err = err
	}
	w.out.Truncate(w.out.Len() - 1) // the newline Encode adds
	return w
}
