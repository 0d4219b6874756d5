package main

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// specials are the types whose JSON or protobuf form is not that of their Go fields.
var specials = map[reflect.Type]string{
	reflect.TypeFor[meta.Time]():                                  "Time",
	reflect.TypeFor[meta.MicroTime]():                             "MicroTime",
	reflect.TypeFor[meta.Duration]():                              "Duration",
	reflect.TypeFor[meta.FieldsV1]():                              "FieldsV1",
	reflect.TypeFor[resource.Quantity]():                          "Quantity",
	reflect.TypeFor[intstr.IntOrString]():                         "IntOrString",
	reflect.TypeFor[runtime.RawExtension]():                       "RawExtension",
	reflect.TypeFor[apiextensions.JSON]():                         "JSON",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrBool]():        "JSONSchemaPropsOrBool",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrArray]():       "JSONSchemaPropsOrArray",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrStringArray](): "JSONSchemaPropsOrStringArray",
}

// The OpenAPI extensions that have a place of their own in the table; any other one is an error, so that a new Kubernetes release cannot add one unseen.
const (
	listTypeExtension      = "x-kubernetes-list-type"
	listMapKeysExtension   = "x-kubernetes-list-map-keys"
	mapTypeExtension       = "x-kubernetes-map-type"
	patchStrategyExtension = "x-kubernetes-patch-strategy"
	patchMergeKeyExtension = "x-kubernetes-patch-merge-key"
	unionsExtension        = "x-kubernetes-unions"
)

// modelNamed is what every type with an OpenAPI definition implements.
type modelNamed interface{ OpenAPIModelName() string }

// wireMessage is implemented by named slices that protobuf wraps in a message `{ repeated items = 1 }`.
type wireMessage interface{ Marshal() ([]byte, error) }

type collector struct {
	definitions map[string]common.OpenAPIDefinition
	types       map[string]*typeFacts
	problems    []string
}

func collect(version string) (*table, error) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme, meta.AddMetaToScheme} {
		if err := add(known); err != nil {
			return nil, err
		}
	}
	c := &collector{
		definitions: openapi.GetOpenAPIDefinitions(func(name string) spec.Ref { return spec.MustCreateRef(name) }),
		types:       map[string]*typeFacts{},
	}
	result := &table{KubernetesVersion: version, Types: c.types}
	all := known.AllKnownTypes()
	for gvk, goType := range all {
		if !served(gvk.Group, gvk.Version, gvk.Kind, goType) {
			continue
		}
		name, err := c.visit(goType)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", gvk, err)
		}
		if item, isList := strings.CutSuffix(gvk.Kind, "List"); isList && item != "" {
			if _, hasItem := all[gvk.GroupVersion().WithKind(item)]; hasItem {
				continue
			}
		}
		kind := kindFacts{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Type: name}
		if listType, ok := all[gvk.GroupVersion().WithKind(gvk.Kind+"List")]; ok {
			if kind.ListType, err = c.visit(listType); err != nil {
				return nil, err
			}
		}
		result.Kinds = append(result.Kinds, kind)
	}
	if len(c.problems) > 0 {
		sort.Strings(c.problems)
		return nil, fmt.Errorf("%s", strings.Join(c.problems, "\n"))
	}
	sort.Slice(result.Kinds, func(i, j int) bool { return result.Kinds[i].key() < result.Kinds[j].key() })
	return result, nil
}

// served keeps the versions without alpha or beta, and of meta/v1 only the group that owns a kind (every group registers ListOptions and its kin again).
func served(group, version, kind string, goType reflect.Type) bool {
	if strings.Contains(version, "alpha") || strings.Contains(version, "beta") || version == runtime.APIVersionInternal || kind == "InternalEvent" {
		return false
	}
	if goType.PkgPath() == reflect.TypeFor[meta.Status]().PkgPath() {
		return group == "" || group == meta.GroupName && (strings.HasPrefix(kind, "Table") || strings.HasPrefix(kind, "PartialObject"))
	}
	return goType.PkgPath() != "k8s.io/api/apidiscovery/v2"
}

func (c *collector) visit(goType reflect.Type) (string, error) {
	named, ok := reflect.Zero(goType).Interface().(modelNamed)
	if !ok {
		return "", fmt.Errorf("%s has no OpenAPI model name", goType)
	}
	name := named.OpenAPIModelName()
	if _, done := c.types[name]; done {
		return name, nil
	}
	definition, ok := c.definitions[name]
	if !ok {
		return "", fmt.Errorf("%s has no OpenAPI definition", name)
	}
	facts := &typeFacts{goType: goType}
	c.types[name] = facts
	schema := definition.Schema
	for key, value := range schema.Extensions {
		switch key {
		case mapTypeExtension:
			facts.MapType = value.(string)
		case unionsExtension:
			facts.Unions = value
		default:
			c.problems = append(c.problems, fmt.Sprintf("%s: extension %s has no place in the table", name, key))
		}
	}
	if err := c.fields(goType, nil, true, &schema, facts); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	for property := range schema.Properties {
		if !facts.has(property) {
			c.problems = append(c.problems, fmt.Sprintf("%s: OpenAPI has a property %s that the Go type has not", name, property))
		}
	}
	return name, nil
}

// fields appends the fields of goType; within are the protobuf numbers of the messages an inlined struct sits in, and inProtobuf is false below an inlined struct that
// protobuf leaves out (TypeMeta, whose two fields travel in the envelope).
func (c *collector) fields(goType reflect.Type, within []int, inProtobuf bool, schema *spec.Schema, facts *typeFacts) error {
	for index := range goType.NumField() {
		field := goType.Field(index)
		tag, tagged := field.Tag.Lookup("json")
		if !field.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		number, err := protobufNumber(field)
		if err != nil {
			return err
		}
		if field.Anonymous && name == "" {
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			deeper := append([]int{}, within...)
			if number != 0 {
				deeper = append(deeper, number)
			}
			if err := c.fields(inner, deeper, inProtobuf && number != 0, schema, facts); err != nil {
				return err
			}
			continue
		}
		if !tagged || name == "" {
			return fmt.Errorf("field %s has no json name", field.Name)
		}
		if err := c.field(field, name, options, schema, facts); err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		if inProtobuf {
			last := &facts.Fields[len(facts.Fields)-1]
			last.Number, last.Within = number, within
			if number != 0 {
				last.Wire = last.Type.wire()
			}
		}
	}
	return nil
}

func (c *collector) field(field reflect.StructField, name, options string, schema *spec.Schema, facts *typeFacts) error {
	property, described := schema.Properties[name]
	if !described {
		return fmt.Errorf("OpenAPI does not have it")
	}
	result := fieldFacts{Name: name, Default: property.Default, Enum: property.Enum}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			result.OmitEmpty = true
		case "omitzero":
			result.OmitEmpty, result.OmitZero = true, true
		}
	}
	for _, required := range schema.Required {
		result.Required = result.Required || required == name
	}
	goType := field.Type
	if goType.Kind() == reflect.Pointer {
		result.Pointer, goType = true, goType.Elem()
	}
	for key, value := range property.Extensions {
		switch key {
		case listTypeExtension:
			result.ListType = value.(string)
		case listMapKeysExtension:
			result.ListMapKeys = value
		case mapTypeExtension:
			result.MapType = value.(string)
		case patchStrategyExtension:
			result.PatchStrategy = value.(string)
		case patchMergeKeyExtension:
			result.PatchMergeKey = value.(string)
		default:
			return fmt.Errorf("extension %s has no place in the table", key)
		}
	}
	shape, err := c.shape(goType, &property)
	if err != nil {
		return err
	}
	if result.Enum != nil {
		shape.Enum = nil
	}
	result.Type = shape
	facts.Fields = append(facts.Fields, result)
	return nil
}

func (c *collector) shape(goType reflect.Type, schema *spec.Schema) (*shape, error) {
	if special, ok := specials[goType]; ok {
		return &shape{Kind: special}, nil
	}
	switch goType.Kind() {
	case reflect.String:
		return &shape{Kind: "string", Enum: schema.Enum}, nil
	case reflect.Bool:
		return &shape{Kind: "bool"}, nil
	case reflect.Int32, reflect.Int64, reflect.Float64:
		return &shape{Kind: goType.Kind().String()}, nil
	case reflect.Interface:
		return &shape{Kind: "any"}, nil
	case reflect.Struct:
		name, err := c.visit(goType)
		return &shape{Kind: "ref", Ref: name}, err
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return &shape{Kind: "bytes"}, nil
		}
		if schema.Items == nil || schema.Items.Schema == nil {
			return nil, fmt.Errorf("OpenAPI has no items for %s", goType)
		}
		of, err := c.element(goType.Elem(), schema.Items.Schema)
		return &shape{Kind: "list", Of: of, Wrapped: goType.Implements(reflect.TypeFor[wireMessage]())}, err
	case reflect.Map:
		if goType.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("map with keys of %s", goType.Key())
		}
		if schema.AdditionalProperties == nil || schema.AdditionalProperties.Schema == nil {
			return nil, fmt.Errorf("OpenAPI has no values for %s", goType)
		}
		of, err := c.element(goType.Elem(), schema.AdditionalProperties.Schema)
		return &shape{Kind: "map", Of: of}, err
	default:
		return nil, fmt.Errorf("no shape for the Go type %s", goType)
	}
}

func (c *collector) element(goType reflect.Type, schema *spec.Schema) (*shape, error) {
	pointer := goType.Kind() == reflect.Pointer
	if pointer {
		goType = goType.Elem()
	}
	result, err := c.shape(goType, schema)
	if err != nil {
		return nil, err
	}
	result.Pointer = pointer
	for key, value := range schema.Extensions {
		if key != listTypeExtension {
			return nil, fmt.Errorf("extension %s on an element has no place in the table", key)
		}
		result.ListType = value.(string)
	}
	return result, nil
}

// protobufNumber reads the number of `protobuf:"bytes,1,opt,name=metadata"`; it is zero when protobuf leaves the field out. The wire type in the tag is typed by hand, read
// by nobody and often wrong (PodSpec.priority says "bytes"), so shape.wire derives it from the Go type instead.
func protobufNumber(field reflect.StructField) (int, error) {
	tag := field.Tag.Get("protobuf")
	if tag == "" || tag == "-" {
		return 0, nil
	}
	parts := strings.Split(tag, ",")
	if len(parts) < 3 {
		return 0, fmt.Errorf("field %s: odd protobuf tag %q", field.Name, tag)
	}
	number, err := strconv.Atoi(parts[1])
	if err != nil || number < 1 {
		return 0, fmt.Errorf("field %s: odd protobuf tag %q", field.Name, tag)
	}
	return number, nil
}
