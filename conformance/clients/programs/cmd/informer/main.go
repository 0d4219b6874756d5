// A program as operators write them with client-go: shared informers on built-in and custom resources, typed clients (protobuf), a leader election and an event recorder.
// It works in one namespace and prints what it saw as JSON, without names of servers and times: the same on every Kubernetes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"sort"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
)

const objects = 150

var customResource = schema.GroupVersionResource{Group: "clients.gantry.dev", Version: "v1", Resource: "websites"}

type counts struct {
	sync.Mutex
	Added, Updated, Deleted map[string]bool
}

func newCounts() *counts {
	return &counts{Added: map[string]bool{}, Updated: map[string]bool{}, Deleted: map[string]bool{}}
}

func (c *counts) note(into map[string]bool, object any) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	check(err)
	c.Lock()
	defer c.Unlock()
	into[key] = true
}

func (c *counts) sizes() map[string]int {
	c.Lock()
	defer c.Unlock()
	return map[string]int{"added": len(c.Added), "updated": len(c.Updated), "deleted": len(c.Deleted)}
}

func (c *counts) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { c.note(c.Added, object) },
		UpdateFunc: func(before, after any) {
			if before.(metav1.Object).GetResourceVersion() != after.(metav1.Object).GetResourceVersion() {
				c.note(c.Updated, after)
			}
		},
		DeleteFunc: func(object any) { c.note(c.Deleted, object) },
	}
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	namespace := flag.String("namespace", "", "an empty namespace")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	config.QPS, config.Burst = -1, -1
	clients, err := kubernetes.NewForConfig(config)
	check(err)
	dynamicClient, err := dynamic.NewForConfig(config)
	check(err)

	report := map[string]any{}
	report["configMaps"] = followConfigMaps(ctx, clients, *namespace)
	report["customResources"] = followCustomResources(ctx, dynamicClient, *namespace)
	report["retries"] = countUp(ctx, clients, *namespace)
	report["apply"] = applyTwice(ctx, clients, *namespace)
	report["errors"] = provokeErrors(ctx, clients, *namespace)
	report["pages"] = listPages(ctx, clients, *namespace)
	report["leaders"] = electLeaders(ctx, clients, *namespace)
	report["openApi"] = readOpenApi(clients)
	report["events"] = recordEvents(ctx, clients, *namespace)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	check(encoder.Encode(report))
}

// Many writers at once; at the end the informer's store has to be what a list says.
func followConfigMaps(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "kept=yes" }))
	informer := factory.Core().V1().ConfigMaps()
	seen := newCounts()
	_, err := informer.Informer().AddEventHandler(seen.handler())
	check(err)
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	maps := clients.CoreV1().ConfigMaps(namespace)
	inParallel(objects, func(number int) {
		name := fmt.Sprintf("map-%03d", number)
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kept": "yes"}}}, metav1.CreateOptions{})
		check(err)
		_, err = maps.Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"number":"`+name+`"}}`), metav1.PatchOptions{})
		check(err)
		if number%3 == 0 {
			check(maps.Delete(ctx, name, metav1.DeleteOptions{}))
		} else if number%3 == 1 {
			// It leaves the selection: a watcher with a selector hears of a deletion.
			_, err = maps.Patch(ctx, name, types.JSONPatchType, []byte(`[{"op":"replace","path":"/metadata/labels/kept","value":"no"}]`), metav1.PatchOptions{})
			check(err)
		}
	})
	same := false
	check(wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		listed, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "kept=yes"})
		if err != nil {
			return false, err
		}
		stored, err := informer.Lister().ConfigMaps(namespace).List(labels.Everything())
		if err != nil {
			return false, err
		}
		same = reflect.DeepEqual(versionsOf(listed.Items), versionsOfPointers(stored))
		return same && seen.sizes()["deleted"] == 2*objects/3, nil
	}))
	sizes := seen.sizes()
	return map[string]any{"storeEqualsList": same, "added": sizes["added"], "deleted": sizes["deleted"]}
}

func followCustomResources(ctx context.Context, client dynamic.Interface, namespace string) any {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	informer := factory.ForResource(customResource)
	seen := newCounts()
	_, err := informer.Informer().AddEventHandler(seen.handler())
	check(err)
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	resources := client.Resource(customResource).Namespace(namespace)
	inParallel(20, func(number int) {
		website := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "clients.gantry.dev/v1", "kind": "Website",
			"metadata": map[string]any{"name": fmt.Sprintf("site-%02d", number)},
			"spec":     map[string]any{"image": "nginx", "unknown": "pruned"},
		}}
		created, err := resources.Create(ctx, website, metav1.CreateOptions{})
		check(err)
		check(unstructured.SetNestedField(created.Object, int64(2), "status", "readyReplicas"))
		_, err = resources.UpdateStatus(ctx, created, metav1.UpdateOptions{})
		check(err)
		check(resources.Delete(ctx, created.GetName(), metav1.DeleteOptions{}))
	})
	check(wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		return seen.sizes()["deleted"] == 20, nil
	}))
	return map[string]any{"added": seen.sizes()["added"], "deleted": seen.sizes()["deleted"]}
}

// Ten writers count to a hundred in one object: optimistic concurrency loses none.
func countUp(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	maps := clients.CoreV1().ConfigMaps(namespace)
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "counter"}, BinaryData: map[string][]byte{"count": {}}}, metav1.CreateOptions{})
	check(err)
	backoff := wait.Backoff{Steps: 1000, Duration: 5 * time.Millisecond, Factor: 1, Jitter: 1}
	inParallel(100, func(int) {
		check(retry.RetryOnConflict(backoff, func() error {
			counter, err := maps.Get(ctx, "counter", metav1.GetOptions{})
			if err != nil {
				return err
			}
			counter.BinaryData["count"] = append(counter.BinaryData["count"], 1)
			_, err = maps.Update(ctx, counter, metav1.UpdateOptions{})
			return err
		}))
	})
	counter, err := maps.Get(ctx, "counter", metav1.GetOptions{})
	check(err)
	return len(counter.BinaryData["count"])
}

func applyTwice(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	maps := clients.CoreV1().ConfigMaps(namespace)
	_, err := maps.Apply(ctx, applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"a": "1", "b": "1"}), metav1.ApplyOptions{FieldManager: "one"})
	check(err)
	_, err = maps.Apply(ctx, applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"b": "2"}), metav1.ApplyOptions{FieldManager: "two"})
	conflict := apierrors.IsConflict(err)
	_, err = maps.Apply(ctx, applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"b": "2"}), metav1.ApplyOptions{FieldManager: "two", Force: true})
	check(err)
	_, err = maps.Apply(ctx, applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"c": "1"}), metav1.ApplyOptions{FieldManager: "one"})
	check(err)
	result, err := maps.Get(ctx, "applied", metav1.GetOptions{})
	check(err)
	extracted, err := applycorev1.ExtractConfigMap(result, "one")
	check(err)
	managers := []string{}
	for _, entry := range result.ManagedFields {
		managers = append(managers, fmt.Sprintf("%s %s", entry.Manager, entry.Operation))
	}
	sort.Strings(managers)
	return map[string]any{"conflict": conflict, "data": result.Data, "ofOne": extracted.Data, "managers": managers}
}

// What client-go makes of refusals.
func provokeErrors(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	maps := clients.CoreV1().ConfigMaps(namespace)
	said := map[string]string{}
	tell := func(name string, err error) { said[name] = fmt.Sprintf("%s: %v", apierrors.ReasonForError(err), err) }
	_, err := maps.Get(ctx, "nobody", metav1.GetOptions{})
	tell("get", err)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "counter"}}, metav1.CreateOptions{})
	tell("create again", err)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Upper Case"}}, metav1.CreateOptions{})
	tell("create invalid", err)
	_, err = maps.Update(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "counter", ResourceVersion: "1"}}, metav1.UpdateOptions{})
	tell("update stale", err)
	err = maps.Delete(ctx, "counter", *metav1.NewPreconditionDeleteOptions("00000000-0000-0000-0000-000000000000"))
	said["delete with another uid"] = string(apierrors.ReasonForError(err))
	// Without the client's own retries, ten of them otherwise.
	err = clients.CoreV1().RESTClient().Get().Namespace(namespace).Resource("configmaps").Param("resourceVersion", "99999999999").MaxRetries(0).Do(ctx).Error()
	said["list in the future"] = fmt.Sprintf("%s, cause %v", apierrors.ReasonForError(err), apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge))
	return said
}

func listPages(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	maps := clients.CoreV1().ConfigMaps(namespace)
	names, pages := map[string]bool{}, 0
	options := metav1.ListOptions{Limit: 7}
	revision := ""
	for {
		page, err := maps.List(ctx, options)
		check(err)
		pages++
		if revision != "" && page.ResourceVersion != revision {
			check(fmt.Errorf("page %d is of revision %s, the first of %s", pages, page.ResourceVersion, revision))
		}
		revision = page.ResourceVersion
		for _, item := range page.Items {
			names[item.Name] = true
		}
		if page.Continue == "" {
			break
		}
		options.Continue = page.Continue
	}
	return map[string]any{"pages": pages, "names": len(names)}
}

// Two candidates: one leads, gives up, the other takes over.
func electLeaders(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	var mutex sync.Mutex
	order := []string{}
	var group sync.WaitGroup
	first, stopFirst := context.WithCancel(ctx)
	second, stopSecond := context.WithCancel(ctx)
	run := func(ctx context.Context, name string, onLead func()) {
		defer group.Done()
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock:            &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: "leader", Namespace: namespace}, Client: clients.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: name}},
			ReleaseOnCancel: true,
			LeaseDuration:   3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) {
					mutex.Lock()
					order = append(order, name+" leads")
					mutex.Unlock()
					onLead()
				},
				OnStoppedLeading: func() {},
			},
		})
	}
	group.Add(1)
	led := make(chan struct{})
	go run(first, "one", func() { close(led) })
	<-led
	group.Add(1)
	go run(second, "two", stopSecond)
	time.Sleep(300 * time.Millisecond)
	stopFirst()
	group.Wait()
	lease, err := clients.CoordinationV1().Leases(namespace).Get(ctx, "leader", metav1.GetOptions{})
	check(err)
	return map[string]any{"order": order, "transitions": *lease.Spec.LeaseTransitions}
}

// The recorder aggregates repeated events into one with a count.
func recordEvents(ctx context.Context, clients kubernetes.Interface, namespace string) any {
	counter, err := clients.CoreV1().ConfigMaps(namespace).Get(ctx, "counter", metav1.GetOptions{})
	check(err)
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events(namespace)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "informer"})
	for range 3 {
		recorder.Event(counter, corev1.EventTypeNormal, "Counted", "the counter was counted")
	}
	recorder.Event(counter, corev1.EventTypeWarning, "Odd", "this is odd")
	found := []string{}
	check(wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		events, err := clients.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=counter"})
		if err != nil {
			return false, err
		}
		found = found[:0]
		total := int32(0)
		for _, event := range events.Items {
			total += event.Count
			found = append(found, fmt.Sprintf("%s %s ×%d from %s on %s", event.Type, event.Reason, event.Count, event.Source.Component, event.InvolvedObject.Kind))
		}
		sort.Strings(found)
		return total == 4, nil
	}))
	return found
}

// The document of OpenAPI v2 in its protobuf form, as deployment tools read it.
func readOpenApi(clients kubernetes.Interface) any {
	document, err := clients.Discovery().OpenAPISchema()
	check(err)
	said := map[string]any{"swagger": document.Swagger, "title": document.Info.Title}
	for _, definition := range document.Definitions.AdditionalProperties {
		if definition.Name != "io.k8s.api.apps.v1.Deployment" && definition.Name != "dev.gantry.clients.v1.Website" {
			continue
		}
		schema := definition.Value
		properties := []string{}
		for _, property := range schema.Properties.AdditionalProperties {
			properties = append(properties, fmt.Sprintf("%s %s %v", property.Name, property.Value.XRef, property.Value.Type.GetValue()))
		}
		sort.Strings(properties)
		extensions := []string{}
		for _, extension := range schema.VendorExtension {
			var value any
			check(yaml.Unmarshal([]byte(extension.Value.Yaml), &value))
			extensions = append(extensions, fmt.Sprintf("%s %v", extension.Name, value))
		}
		said[definition.Name] = map[string]any{"properties": properties, "required": schema.Required, "extensions": extensions}
	}
	for _, path := range document.Paths.Path {
		if path.Name == "/api/v1/namespaces/{namespace}/configmaps/{name}" {
			sort.Strings(path.Value.Patch.Consumes)
			said["patch"] = []any{path.Value.Patch.OperationId, path.Value.Patch.Consumes, len(path.Value.Patch.Parameters) > 0, len(path.Value.Patch.Responses.ResponseCode)}
		}
	}
	return said
}

func versionsOf(items []corev1.ConfigMap) map[string]string {
	versions := map[string]string{}
	for _, item := range items {
		versions[item.Name] = item.ResourceVersion
	}
	return versions
}

func versionsOfPointers(items []*corev1.ConfigMap) map[string]string {
	versions := map[string]string{}
	for _, item := range items {
		versions[item.Name] = item.ResourceVersion
	}
	return versions
}

func inParallel(count int, work func(number int)) {
	const workers = 10
	var group sync.WaitGroup
	numbers := make(chan int)
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := range numbers {
				work(number)
			}
		}()
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	group.Wait()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
