#!/usr/bin/env python3
"""What Envoy Gateway makes of `envoy/envoy-gateway`: translate.py INTO.

Its own program runs as it does outside Kubernetes: it reads the manifests from files, pulls the filter's image from a registry, starts
a stock Envoy and serves it by ADS and as an HTTPS server for the code. What that Envoy then says of its configuration is written down,
for the end-to-end tests to run; what differs from run to run is left out.

  ENVOY_GATEWAY, ENVOY_PATH, REGISTRY, ORAS, IMAGE (an OCI layout and a tag: the path, a colon, the version)
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "envoy" / "start"))
from launch import Children, accepts, answers, stop_on_signal

MANIFESTS = TOP / "envoy" / "envoy-gateway"
HELD = "      hold_headers: false"
PLACEHOLDER = "registry.example.com/"
# Where it runs is none of the manifests' business.
VERSION = "1.40.0"
SPEC = "spec:\n  telemetry:\n"
HERE = f"spec:\n  provider: {{type: Host, host: {{envoyVersion: {VERSION}}}}}\n  telemetry:\n"
CLASS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: envoy-gateway}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
"""
# What the manifests ask the operator for.
CLIENTS = """
apiVersion: v1
kind: Secret
metadata: {name: clients, namespace: ai}
data: {acme: bmV4dXMtb2Ytbm9ib2R5} # nexus-of-nobody
"""


def fail(message):
    sys.exit(f"envoy-gateway: {message}")


def changed(name, old, new):
    text = (MANIFESTS / name).read_text()
    if old not in text:
        fail(f"{name} has no {old!r}")
    return text.replace(old, new)


def manifests(mode, registry):
    """The files, with an image that can be pulled; with the patch, heads are held."""
    extension = changed("extension.yaml", PLACEHOLDER, f"127.0.0.1:{registry}/")
    texts = {"class": CLASS, "clients": CLIENTS, "gateway": changed("gateway.yaml", SPEC, HERE), "extension": extension}
    if mode == "held":
        texts["patch"] = (MANIFESTS / "patch.yaml").read_text()
        texts["extension"] = "".join(line for line in extension.splitlines(True) if not line.startswith(HELD))
    return texts


def gateway_configuration(directory):
    homes = {name: str(directory / name) for name in ("configHome", "dataHome", "stateHome", "runtimeDir")}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": {"type": "File", "file": {"paths": [str(directory / "manifests")]}},
                "infrastructure": {"type": "Host", "host": homes},
            },
        },
        "logging": {"level": {"default": "info"}},
        "extensionApis": {"enableBackend": True, "enableEnvoyPatchPolicy": True},
    }


def admin_of(directory):
    """Where the Envoy that was started answers, once it is known."""
    found = list((directory / "runtimeDir").rglob("admin-address.txt"))
    return found[0].read_text().strip() if found else None


def dump(directory):
    admin = admin_of(directory)
    if not admin or not answers(f"http://{admin}/server_info"):
        return None
    with urllib.request.urlopen(f"http://{admin}/config_dump?include_eds", timeout=5) as answer:
        return json.load(answer)


def resources(told):
    """Listeners, routes and clusters that came by ADS, or none while some are missing."""
    found = {"listeners": [], "routes": [], "clusters": []}
    for part in told["configs"]:
        # Here it waits for its code for ever: the way to it is that inside Kubernetes.
        listeners = [each.get("active_state") or each["warming_state"] for each in part.get("dynamic_listeners", [])]
        found["listeners"] += [state["listener"] for state in listeners if state["listener"]["name"] == "ai/ai/http"]
        found["routes"] += [each["route_config"] for each in part.get("dynamic_route_configs", [])]
        found["clusters"] += [each["cluster"] for each in part.get("dynamic_active_clusters", [])]
        if "bootstrap" in part:
            found["stats_config"] = part["bootstrap"].get("stats_config")
    for resource in (each for kind in ("listeners", "routes", "clusters") for each in found[kind]):
        resource.pop("@type")
    return found if all(found.values()) else None


def translated(mode, registry, directory):
    for name, text in manifests(mode, registry).items():
        path = directory / "manifests" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    bin = directory / "dataHome" / "envoy-versions" / VERSION / "bin"
    bin.mkdir(parents=True)
    (bin / "envoy").symlink_to(pathlib.Path(os.environ["ENVOY_PATH"]).resolve())
    configuration = directory / "envoy-gateway.json"
    configuration.write_text(json.dumps(gateway_configuration(directory)))
    children, found = Children(directory), {}
    environment = {**os.environ, "HOME": str(directory)}
    certificates = [os.environ["ENVOY_GATEWAY"], "certgen", "--local", "--config-home", str(directory / "configHome")]
    subprocess.run(certificates, env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        command = [os.environ["ENVOY_GATEWAY"], "server", "--config-path", str(configuration)]
        children.start("envoy-gateway", command, environment)

        def is_configured():
            told = dump(directory)
            found.update(told and resources(told) or {})
            return bool(found)

        children.wait_for("Envoy, by Envoy Gateway", is_configured)
    finally:
        children.stop()
        shutil.copy(directory / "envoy-gateway.log", TOP / "target" / f"envoy-gateway-{mode}.log")
    return found


def written(found):
    """Without what differs with the build and from run to run."""
    text = json.dumps(found, indent=1, sort_keys=True)
    text = re.sub(r'(:18002/)[^"]+\.wasm"', r'\1filter.wasm"', text)
    return re.sub(r'("sha256": )"[0-9a-f]{64}"', r'\1"…"', text) + "\n"


def start_registry(directory, children):
    # Bound, not listened on, and shared from now on: the registry may have the port, and nobody else is given it.
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = kept.getsockname()[1]
    configuration = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(directory / "images")}}, "http": {"addr": f"127.0.0.1:{port}"}}
    (directory / "registry.json").write_text(json.dumps(configuration))
    children.start("registry", [os.environ["REGISTRY"], "serve", str(directory / "registry.json")], dict(os.environ))
    children.wait_for("the registry", lambda: accepts(port))
    _, _, version = os.environ["IMAGE"].rpartition(":")
    image = f"127.0.0.1:{port}/team/nexus-ai-gateway:{version}"
    subprocess.run([os.environ["ORAS"], "copy", "--no-tty", "--from-oci-layout", os.environ["IMAGE"], "--to-plain-http", image], check=True, stdout=subprocess.DEVNULL)
    return port, kept


def main():
    (into,) = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_on_signal)
    with tempfile.TemporaryDirectory(dir=TOP / "target") as directory:
        directory = pathlib.Path(directory)
        children = Children(directory)
        try:
            registry, kept = start_registry(directory, children)
            for mode in ("bare", "held"):
                (directory / mode).mkdir()
                found = translated(mode, registry, directory / mode)
                pathlib.Path(into, f"{mode}.json").write_text(written(found))
        finally:
            children.stop()


if __name__ == "__main__":
    main()
