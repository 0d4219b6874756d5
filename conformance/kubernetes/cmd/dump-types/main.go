// Command dump-types writes the fact table of the built-in Kubernetes types: names, protobuf numbers, Go and OpenAPI flags, and no prose.
//
// The Go types (json and protobuf tags) say how an object looks on the wire, the OpenAPI definitions of the same release add required fields, defaults, enums and the
// list and map semantics of server-side apply. Run it in the module's folder; with -check it fails when the committed file differs.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

func main() {
	out := flag.String("out", "../../kubernetes/api/generated/types.json", "file to write")
	check := flag.Bool("check", false, "compare with the committed file instead of writing it")
	flag.Parse()
	if err := run(*out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "dump-types:", err)
		os.Exit(1)
	}
}

func run(out string, check bool) error {
	version, err := kubernetesVersion()
	if err != nil {
		return err
	}
	table, err := collect(version)
	if err != nil {
		return err
	}
	text, err := table.render()
	if err != nil {
		return err
	}
	if check {
		committed, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		if !bytes.Equal(committed, text) {
			return fmt.Errorf("%s differs from what %s says; run `go run ./cmd/dump-types` in conformance/kubernetes", out, version)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

// kubernetesVersion is the version go.mod pins, as the linker recorded it.
func kubernetesVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", fmt.Errorf("the binary carries no build information, so the Kubernetes version is unknown")
	}
	for _, dep := range info.Deps {
		if dep.Path == "k8s.io/kubernetes" {
			return dep.Version, nil
		}
	}
	return "", fmt.Errorf("k8s.io/kubernetes is not among the module's dependencies")
}
