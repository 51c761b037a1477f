// Command pilot holds the manifests against the schemas that Istio and Envoy Gateway publish, and writes what Istio's own
// pilot makes of them for a gateway's Envoy: the end-to-end tests run that.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/bootstrap"
	"istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/test/util/yml"
)

const namespace = "istio-ingress"

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: pilot MANIFESTS INTO"))
	}
	manifests, into := os.Args[1], os.Args[2]
	fail(check(manifests))
	fail(sameConfiguration(manifests))
	for name, filter := range map[string]string{"bare": "wasmplugin.yaml", "held": "envoyfilter.yaml"} {
		translated, err := translate(filepath.Join(manifests, "istio"), filter)
		fail(err)
		fail(os.WriteFile(filepath.Join(into, name+".json"), translated, 0o644))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// gatewayModule is no requirement of go.mod, or it would choose the versions that pilot is built of.
const gatewayModule = "github.com/envoyproxy/gateway@v1.9.1"

// moduleFolder is where the Go tool keeps a module: one of go.mod, or with a version any.
func moduleFolder(module string) (string, error) {
	command := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	if strings.Contains(module, "@") {
		command = exec.Command("go", "mod", "download", "-json", module)
	}
	told, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%v: %w", command.Args, err)
	}
	var described struct{ Dir string }
	if json.Unmarshal(told, &described) == nil {
		return described.Dir, nil
	}
	return strings.TrimSpace(string(told)), nil
}

// check does what the API server would: schema, unknown fields and rules.
func check(manifests string) error {
	istio, err := moduleFolder("istio.io/istio")
	if err != nil {
		return err
	}
	gateway, err := moduleFolder(gatewayModule)
	if err != nil {
		return err
	}
	crds := []string{filepath.Join(istio, "manifests/charts/base/files/crd-all.gen.yaml")}
	templates, err := filepath.Glob(filepath.Join(gateway, "charts/gateway-crds-helm/templates/generated/*.yaml"))
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "crds")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, template := range templates {
		text, err := os.ReadFile(template)
		if err != nil {
			return err
		}
		// Of Helm, they have only the lines that switch them on.
		lines := strings.Split(string(text), "\n")
		kept := lines[:0]
		for _, line := range lines {
			if !strings.HasPrefix(line, "{{") {
				kept = append(kept, line)
			}
		}
		plain := filepath.Join(folder, filepath.Base(template))
		if err := os.WriteFile(plain, []byte(strings.Join(kept, "\n")), 0o644); err != nil {
			return err
		}
		crds = append(crds, plain)
	}
	validator, err := crd.NewValidatorFromFilesWithOptions(crds, crd.WithoutCRDValidation())
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(manifests, "*", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "\napiVersion:") && !strings.HasPrefix(string(text), "apiVersion:") {
			continue
		}
		if !strings.Contains(file, "/istio/") && !strings.Contains(file, "/envoy-gateway/") {
			continue
		}
		// Gateway API's own kinds are published elsewhere, and so are those of Kubernetes.
		for _, document := range yml.SplitString(string(text)) {
			if strings.Contains(document, "apiVersion: gateway.networking.k8s.io/") || strings.Contains(document, "apiVersion: v1\n") {
				continue
			}
			if err := validator.ValidateCustomResourceYAML(document, nil); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		fmt.Println(file + ": as its schemas say")
	}
	return nil
}

// configurations finds what the filter would be told in a file, wherever it stands.
func configurations(value any) []map[string]any {
	var found []map[string]any
	switch value := value.(type) {
	case map[string]any:
		if _, ours := value["tenants"]; ours {
			return []map[string]any{value}
		}
		for _, inner := range value {
			found = append(found, configurations(inner)...)
		}
	case []any:
		for _, inner := range value {
			found = append(found, configurations(inner)...)
		}
	}
	return found
}

// sameConfiguration is so that no manifest says another thing of tenants and prices than the next.
func sameConfiguration(manifests string) error {
	var first map[string]any
	for _, file := range []string{"istio/wasmplugin.yaml", "istio/envoyfilter.yaml", "envoy-gateway/extension.yaml"} {
		text, err := os.ReadFile(filepath.Join(manifests, file))
		if err != nil {
			return err
		}
		for _, document := range yml.SplitString(string(text)) {
			var parsed any
			if err := yaml.Unmarshal([]byte(document), &parsed); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, configuration := range configurations(parsed) {
				// What differs between the modes, and between the control planes' names of clusters.
				for _, its := range []string{"hold_headers", "providers", "status"} {
					delete(configuration, its)
				}
				if first == nil {
					first = configuration
				} else if !reflect.DeepEqual(first, configuration) {
					return fmt.Errorf("%s: another configuration than that of the WasmPlugin", file)
				}
			}
		}
	}
	return nil
}

// translate writes what pilot sends to the Envoy of a gateway, and the stats of the bootstrap that its agent writes.
func translate(folder, filter string) ([]byte, error) {
	var text []string
	for _, name := range []string{"gateway.yaml", filter} {
		read, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		text = append(text, string(read))
	}
	var told []byte
	err := test.Wrap(func(t test.Failer) {
		server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{ConfigString: strings.Join(text, "\n---\n")})
		proxy := server.SetupProxy(&model.Proxy{
			Type:            model.Router,
			ConfigNamespace: namespace,
			Labels:          map[string]string{"istio": "ingress"},
			Metadata:        &model.NodeMetadata{Namespace: namespace, IstioVersion: "1.31.0", Labels: map[string]string{"istio": "ingress"}},
		})
		listeners := server.Listeners(proxy)
		names := []string{}
		for _, listener := range listeners {
			names = append(names, discovered(message(t, listener))...)
		}
		extensions := server.ConfigGen.BuildExtensionConfiguration(proxy, server.PushContext(), names, nil)
		var err error
		told, err = json.MarshalIndent(map[string]any{
			"listeners":    messages(t, listeners),
			"routes":       messages(t, server.Routes(proxy)),
			"clusters":     messages(t, server.Clusters(proxy)),
			"extensions":   messages(t, extensions),
			"stats_config": stats(t, folder),
		}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
	})
	return append(told, '\n'), err
}

// discovered are the names of filters that come by ECDS.
func discovered(value any) []string {
	var names []string
	switch value := value.(type) {
	case map[string]any:
		if _, remote := value["config_discovery"]; remote {
			names = append(names, value["name"].(string))
		}
		for _, inner := range value {
			names = append(names, discovered(inner)...)
		}
	case []any:
		for _, inner := range value {
			names = append(names, discovered(inner)...)
		}
	}
	return names
}

var resourceVersion = regexp.MustCompile(`("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION"): *"[^"]*"`)

// Of an issuer that isn't there, pilot makes up a key, another each time, and throws its other half away.
var madeUpKeys = regexp.MustCompile(`("local_jwks": *\{ *"inline_string"): *"(?:[^"\\]|\\.)*"`)

func message(t test.Failer, message proto.Message) any {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	// Of a resource that no API server has, pilot makes the time of day its version.
	text = resourceVersion.ReplaceAll(text, []byte("$1:\"1\""))
	text = madeUpKeys.ReplaceAll(text, []byte("$1:\"{}\""))
	var parsed any
	if err := json.Unmarshal(text, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func messages[M proto.Message](t test.Failer, all []M) []any {
	parsed := []any{}
	for _, one := range all {
		parsed = append(parsed, message(t, one))
	}
	return parsed
}

// stats renders Istio's bootstrap with the annotations of values.yaml.
func stats(t test.Failer, folder string) any {
	text, err := os.ReadFile(filepath.Join(folder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		PodAnnotations map[string]string `json:"podAnnotations"`
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	istio, err := moduleFolder("istio.io/istio")
	if err != nil {
		t.Fatal(err)
	}
	node := &model.Node{
		Locality: &core.Locality{},
		ID:       "router~127.0.0.1~gateway." + namespace + "~" + namespace + ".svc.cluster.local",
		Metadata: &model.BootstrapNodeMetadata{
			NodeMetadata: model.NodeMetadata{
				Namespace:   namespace,
				Annotations: values.PodAnnotations,
				ProxyConfig: (*model.NodeMetaProxyConfig)(&meshconfig.ProxyConfig{DiscoveryAddress: "istiod:15012", ProxyAdminPort: 15000, StatusPort: 15020}),
			},
		},
	}
	var rendered bytes.Buffer
	template := filepath.Join(istio, "tools/packaging/common/envoy_bootstrap.json")
	if err := bootstrap.New(bootstrap.Config{Node: node}).WriteTo(template, &rendered); err != nil {
		t.Fatal(err)
	}
	var parsed map[string]any
	if err := json.Unmarshal(rendered.Bytes(), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed["stats_config"]
}
