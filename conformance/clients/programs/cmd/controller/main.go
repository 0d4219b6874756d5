// An operator as controller-runtime makes them: a manager with a cache and leader election reconciles Websites into Deployments and Services by server-side apply, with a
// finalizer, owner references, an index, status conditions and events. It ends when nothing is left of the Websites and prints what it did, the same on every Kubernetes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const websites = 12

var groupVersion = schema.GroupVersion{Group: "clients.gantry.dev", Version: "v1"}

const finalizer = "clients.gantry.dev/cleanup"

type WebsiteSpec struct {
	Image    string `json:"image"`
	Replicas *int32 `json:"replicas,omitempty"`
}

type WebsiteStatus struct {
	ReadyReplicas int32              `json:"readyReplicas,omitempty"`
	Conditions    []metav1.Condition `json:"conditions,omitempty"`
}

type Website struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WebsiteSpec   `json:"spec"`
	Status            WebsiteStatus `json:"status,omitempty"`
}

func (in *Website) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	if in.Spec.Replicas != nil {
		replicas := *in.Spec.Replicas
		out.Spec.Replicas = &replicas
	}
	out.Status.Conditions = append([]metav1.Condition(nil), in.Status.Conditions...)
	return &out
}

type WebsiteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Website `json:"items"`
}

func (in *WebsiteList) DeepCopyObject() runtime.Object {
	out := *in
	out.Items = make([]Website, len(in.Items))
	for index := range in.Items {
		out.Items[index] = *in.Items[index].DeepCopyObject().(*Website)
	}
	return &out
}

type reconciler struct {
	client.Client
	sync.Mutex
	cleaned map[string]bool
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	website := &Website{}
	if err := r.Get(ctx, request.NamespacedName, website); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !website.DeletionTimestamp.IsZero() {
		r.Lock()
		r.cleaned[website.Name] = true
		r.Unlock()
		if controllerutil.RemoveFinalizer(website, finalizer) {
			return ctrl.Result{}, client.IgnoreNotFound(r.Update(ctx, website))
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(website, finalizer) {
		return ctrl.Result{}, r.Update(ctx, website)
	}
	labels := map[string]string{"website": website.Name}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: website.Name, Namespace: website.Namespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: website.Spec.Replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: website.Spec.Image}}},
			},
		},
	}
	if err := controllerutil.SetControllerReference(website, deployment, r.Scheme()); err != nil {
		return ctrl.Result{}, err
	}
	//nolint:staticcheck // the patch form is what most operators in the field still use
	if err := r.Patch(ctx, deployment, client.Apply, client.FieldOwner("website"), client.ForceOwnership); err != nil {
		return ctrl.Result{}, err
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: website.Name, Namespace: website.Namespace}}
	if _, err := controllerutil.CreateOrUpdate(ctx, r.Client, service, func() error {
		service.Spec.Selector = labels
		service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
		return controllerutil.SetControllerReference(website, service, r.Scheme())
	}); err != nil {
		return ctrl.Result{}, err
	}
	before := website.DeepCopyObject().(*Website)
	meta.SetStatusCondition(&website.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Applied", ObservedGeneration: website.Generation})
	website.Status.ReadyReplicas = *website.Spec.Replicas
	return ctrl.Result{}, r.Status().Patch(ctx, website, client.MergeFrom(before))
}

func main() {
	namespace := flag.String("namespace", "", "an empty namespace")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	config, err := ctrl.GetConfig() // of --kubeconfig
	check(err)
	config.QPS, config.Burst = -1, -1
	scheme := runtime.NewScheme()
	check(clientgoscheme.AddToScheme(scheme))
	scheme.AddKnownTypes(groupVersion, &Website{}, &WebsiteList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		LeaderElection:          true,
		LeaderElectionID:        "website-operator",
		LeaderElectionNamespace: *namespace,
		Cache:                   cache.Options{DefaultNamespaces: map[string]cache.Config{*namespace: {}}},
	})
	check(err)
	check(manager.GetFieldIndexer().IndexField(ctx, &Website{}, "spec.image", func(object client.Object) []string { return []string{object.(*Website).Spec.Image} }))
	reconcile := &reconciler{Client: manager.GetClient(), cleaned: map[string]bool{}}
	check(ctrl.NewControllerManagedBy(manager).For(&Website{}).Owns(&appsv1.Deployment{}).Owns(&corev1.Service{}).Complete(reconcile))
	stopped := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { stopped <- manager.Start(running) }()
	<-manager.Elected()

	report := drive(ctx, manager.GetClient(), manager.GetAPIReader(), *namespace)
	reconcile.Lock()
	report["cleaned"] = len(reconcile.cleaned)
	reconcile.Unlock()
	stop()
	check(<-stopped)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	check(encoder.Encode(report))
}

// The user of the operator.
func drive(ctx context.Context, cached client.Client, live client.Reader, namespace string) map[string]any {
	report := map[string]any{}
	for number := range websites {
		website := &Website{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("site-%02d", number), Namespace: namespace}, Spec: WebsiteSpec{Image: fmt.Sprintf("nginx:%d", number%3)}}
		check(cached.Create(ctx, website))
		if *website.Spec.Replicas != 1 {
			check(fmt.Errorf("replicas were not defaulted"))
		}
	}
	inNamespace := client.InNamespace(namespace)
	allReady := func(generation int64) {
		check(wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			list := &WebsiteList{}
			if err := cached.List(ctx, list, inNamespace); err != nil {
				return false, err
			}
			ready := 0
			for _, website := range list.Items {
				condition := meta.FindStatusCondition(website.Status.Conditions, "Ready")
				if condition != nil && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == generation {
					ready++
				}
			}
			return ready == websites, nil
		}))
	}
	allReady(1)
	byImage := &WebsiteList{}
	check(cached.List(ctx, byImage, inNamespace, client.MatchingFields{"spec.image": "nginx:1"}))
	report["withImage1"] = len(byImage.Items)

	all := &WebsiteList{}
	check(live.List(ctx, all, inNamespace))
	for index := range all.Items {
		website := &all.Items[index]
		before := website.DeepCopyObject().(*Website)
		three := int32(3)
		website.Spec.Replicas = &three
		check(cached.Patch(ctx, website, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
	}
	allReady(2)
	deployments := &appsv1.DeploymentList{}
	check(live.List(ctx, deployments, inNamespace))
	owned := []string{}
	for _, deployment := range deployments.Items {
		owner := metav1.GetControllerOf(&deployment)
		managers := []string{}
		for _, entry := range deployment.ManagedFields {
			if entry.Manager == "website" {
				managers = append(managers, fmt.Sprintf("%s %s", entry.Operation, entry.APIVersion))
			}
		}
		owned = append(owned, fmt.Sprintf("%s of %s %s, %d replicas, generation %d, %v", deployment.Name, owner.Kind, owner.Name, *deployment.Spec.Replicas, deployment.Generation, managers))
	}
	sort.Strings(owned)
	report["deployments"] = owned

	// A refusal by the schema has to look like one.
	err := cached.Create(ctx, &Website{ObjectMeta: metav1.ObjectMeta{Name: "bad", Namespace: namespace}, Spec: WebsiteSpec{Image: ""}})
	report["refusal"] = map[string]any{"invalid": apierrors.IsInvalid(err), "text": fmt.Sprint(err)}

	check(cached.DeleteAllOf(ctx, &Website{}, inNamespace))
	check(wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		left := &WebsiteList{}
		err := live.List(ctx, left, inNamespace)
		return len(left.Items) == 0, err
	}))
	return report
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
