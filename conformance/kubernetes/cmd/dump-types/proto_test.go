package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// protoField is one field of a message in a generated.proto: its number, and its type as the proto file spells it ("repeated string", "map<string, bytes>").
type protoField struct {
	number int
	kind   string
}

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{`)
	fieldLine   = regexp.MustCompile(`^  (optional |repeated |)(map<.*>|[\w.]+) (\w+) = (\d+);`)
)

// protoMessages reads the generated.proto of every Go package the table has types of; the name of a message is "<Go package>.<Message>".
func protoMessages(t *testing.T, packages map[string]bool) map[string]map[string]protoField {
	t.Helper()
	arguments := []string{"list", "-f", "{{.ImportPath}} {{.Dir}}"}
	for name := range packages {
		arguments = append(arguments, name)
	}
	listed, err := exec.Command("go", arguments...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	messages := map[string]map[string]protoField{}
	for line := range strings.Lines(string(listed)) {
		importPath, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		text, err := os.ReadFile(filepath.Join(dir, "generated.proto"))
		if err != nil {
			t.Fatal(err)
		}
		message := ""
		for line := range strings.Lines(string(text)) {
			if m := messageLine.FindStringSubmatch(line); m != nil {
				message = importPath + "." + m[1]
				messages[message] = map[string]protoField{}
			} else if f := fieldLine.FindStringSubmatch(line); f != nil {
				number, _ := strconv.Atoi(f[4])
				messages[message][f[3]] = protoField{number: number, kind: strings.TrimPrefix(f[1]+f[2], "optional ")}
			}
		}
	}
	return messages
}

func TestEveryProtobufNumberAndTypeIsThatOfGeneratedProto(t *testing.T) {
	table, err := collect("test")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]bool{}
	for _, facts := range table.Types {
		packages[facts.goType.PkgPath()] = true
	}
	messages := protoMessages(t, packages)
	compared := 0
	for name, facts := range table.Types {
		message, found := messages[facts.goType.PkgPath()+"."+facts.goType.Name()]
		seen := map[int]bool{}
		for _, field := range facts.Fields {
			if field.Number == 0 {
				if field.Name == "kind" || field.Name == "apiVersion" {
					continue
				}
				if found && len(message) > 0 {
					t.Errorf("%s.%s has no number, but the message has one", name, field.Name)
				}
				continue
			}
			if !found {
				t.Errorf("%s has numbers but no message", name)
				break
			}
			if len(field.Within) == 0 {
				seen[field.Number] = true
			} else {
				seen[field.Within[0]] = true
			}
			holder, where, ok := descend(message, field.Within, facts.goType.PkgPath(), messages)
			if !ok {
				t.Errorf("%s.%s: no message at %s", name, field.Name, where)
				continue
			}
			if problem := compare(holder, field); problem != "" {
				t.Errorf("%s.%s: %s", name, field.Name, problem)
			}
			compared++
		}
		for protoName, protoField := range message {
			if !seen[protoField.number] {
				t.Errorf("%s: message field %s = %d is missing in the table", name, protoName, protoField.number)
			}
		}
	}
	if compared < 2000 {
		t.Errorf("compared only %d fields", compared)
	}
	t.Logf("compared %d fields of %d types with %d messages", compared, len(table.Types), len(messages))
}

// descend follows the numbers of inlined structs to the message that holds the field.
func descend(message map[string]protoField, within []int, goPackage string, messages map[string]map[string]protoField) (map[string]protoField, string, bool) {
	for _, number := range within {
		next, ok := map[string]protoField(nil), false
		for _, candidate := range message {
			if candidate.number == number {
				next, ok = messages[resolve(candidate.kind, goPackage)]
			}
		}
		if !ok {
			return nil, fmt.Sprint(within), false
		}
		message = next
	}
	return message, "", true
}

// resolve turns the message name of a proto file into "<Go package>.<Message>".
func resolve(kind, goPackage string) string {
	qualified, isQualified := strings.CutPrefix(kind, ".k8s.io.")
	if !isQualified {
		return goPackage + "." + kind
	}
	cut := strings.LastIndex(qualified, ".")
	path := strings.ReplaceAll(strings.ReplaceAll(qualified[:cut], ".", "/"), "_", "-")
	return "k8s.io/" + path + qualified[cut:]
}

func compare(holder map[string]protoField, field fieldFacts) string {
	for _, candidate := range holder {
		if candidate.number != field.Number {
			continue
		}
		kind := candidate.kind
		if want := wireOf(kind); field.Wire != want {
			return fmt.Sprintf("wire %s, proto says %s (%s)", field.Wire, want, kind)
		}
		if !fits(field.Type, kind) {
			return fmt.Sprintf("type %+v, proto says %s", *field.Type, kind)
		}
		for protoName, other := range holder {
			if other == candidate && !sameName(protoName, field.Name) {
				return fmt.Sprintf("proto calls number %d %s", field.Number, protoName)
			}
		}
		return ""
	}
	return fmt.Sprintf("no number %d in the message", field.Number)
}

// sameName allows for the JSON names that no proto identifier can have ($ref, x-kubernetes-list-type).
func sameName(protoName, jsonName string) bool {
	return strings.EqualFold(protoName, strings.NewReplacer("$", "", "-", "").Replace(jsonName))
}

func wireOf(kind string) string {
	switch strings.TrimPrefix(kind, "repeated ") {
	case "bool", "int32", "int64":
		return "varint"
	case "double":
		return "fixed64"
	default:
		return "bytes"
	}
}

func fits(shape *shape, kind string) bool {
	short := kind[strings.LastIndex(kind, ".")+1:]
	switch shape.Kind {
	case "string", "bool", "int32", "int64", "bytes":
		return kind == shape.Kind
	case "float64":
		return kind == "double"
	case "list":
		if shape.Wrapped {
			return short == "Verbs" || short == "ExtraValue"
		}
		of, repeated := strings.CutPrefix(kind, "repeated ")
		return repeated && fits(shape.Of, of)
	case "map":
		of, isMap := strings.CutPrefix(kind, "map<string, ")
		return isMap && fits(shape.Of, strings.TrimSuffix(of, ">"))
	case "ref":
		return strings.HasSuffix(shape.Ref, "."+short)
	default:
		return short == shape.Kind
	}
}
