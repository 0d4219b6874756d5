// Reads requests from standard input, a method and a target in a line, and prints what Kubernetes reads in each as a line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
)

type read struct {
	Problem     string `json:"problem,omitempty"`
	IsResource  bool   `json:"isResource,omitempty"`
	Verb        string `json:"verb,omitempty"`
	Group       string `json:"group,omitempty"`
	Version     string `json:"version,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
}

func main() {
	// As kube-apiserver sets it up.
	factory := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		method, target, _ := strings.Cut(lines.Text(), " ")
		var one read
		if asked, err := http.NewRequest(method, target, nil); err != nil {
			one.Problem = "url"
		} else if info, err := factory.NewRequestInfo(asked); err != nil {
			one.Problem = "info"
		} else {
			one = read{"", info.IsResourceRequest, info.Verb, info.APIGroup, info.APIVersion, info.Namespace, info.Resource, info.Subresource, info.Name}
		}
		if err := encoder.Encode(one); err != nil {
			panic(err)
		}
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
