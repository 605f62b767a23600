"""The manifests: as Kustomize renders them, by the schemas of Kubernetes, and by what foretaste's own commands take."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

KUSTOMIZATIONS = ("overlays/local", "overlays/production", "training")
"""The base is in both overlays."""
OLDEST = "1.29"
"""Of Kubernetes: the oldest version that the manifests are for."""
SECRETS = {"foretaste-database", "foretaste-keys", "foretaste-tokens", "foretaste-web-app"}
"""That docs/guide/deployment.md makes."""
API, DATABASE = "Deployment api", "FORETASTE_DATABASE"
RENDERERS = [["kubectl", "kustomize"], ["kustomize", "build"]]


def rendered(folder):
    renderer = next((command for command in RENDERERS if shutil.which(command[0])), None)
    if renderer is None:
        pytest.skip("neither kubectl nor kustomize is on PATH")
    done = subprocess.run([*renderer, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture(scope="module", params=KUSTOMIZATIONS)
def resources(request, deploy):
    return rendered(deploy / "kubernetes" / request.param)


def pods(resources):
    """Kind, name and pod of whatever runs containers."""
    for each in resources:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield each["kind"], each["metadata"]["name"], template


def containers(resources):
    for kind, name, template in pods(resources):
        for container in template["spec"]["containers"]:
            yield f"{kind} {name}", container


def test_each_resource_is_as_kubernetes_expects(resources):
    for each in resources:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_files_are_valid_before_they_are_rendered(deploy):
    """Also where there is no Kustomize to render them; against the oldest version, as above against the newest."""
    files = [path for path in (deploy / "kubernetes").rglob("*.yaml") if path.name != "kustomization.yaml"]
    assert len(files) >= 9
    for path in files:
        for each in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(each, OLDEST, strict=True)


def test_what_is_misspelt_is_refused(resources):
    """That the check above can fail."""
    wrong = {**resources[0], "metdata": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="metdata"):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_pods_are_confined(resources):
    for kind, name, template in pods(resources):
        where, spec = f"{kind} {name}", template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], where
        assert spec["securityContext"]["runAsUser"] > 0, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert spec["automountServiceAccountToken"] is False, where
    for where, container in containers(resources):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, where
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), where
        assert "memory" in container["resources"]["limits"], where


def test_what_serves_is_probed_and_what_ends_is_bounded(resources):
    for kind, name, _ in pods(resources):
        if kind in ("Job", "CronJob"):
            spec = next(each["spec"] for each in resources if (each["kind"], each["metadata"]["name"]) == (kind, name))
            assert spec.get("jobTemplate", {}).get("spec", spec)["activeDeadlineSeconds"] > 0
    for where, container in containers(resources):
        if not where.startswith(("Job", "CronJob")):
            assert {"startupProbe", "readinessProbe"} <= container.keys(), where
        if where == "Deployment api":
            paths = {
                kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")
            }
            assert paths == {"startup": "/live", "readiness": "/ready", "liveness": "/live"}


def test_whatever_is_named_is_there(resources):
    """Also that generated names, which end in a hash, have reached those who refer to them."""
    there = {(each["kind"], each["metadata"]["name"]) for each in resources}
    told = {each["metadata"]["name"]: each.get("data", {}) for each in resources if each["kind"] == "ConfigMap"}
    claims_elsewhere = {"foretaste-artifacts", "foretaste-data"} if ("Job", "train") in there else set()
    for kind, name, template in pods(resources):
        where, spec = f"{kind} {name}", template["spec"]
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        local = {volume["name"] for volume in spec["volumes"]}
        assert mounted <= local | {"data"}, where  # `data` may come from a claim template
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in told, where
            if "secret" in volume:
                assert volume["secret"]["secretName"] in SECRETS, where
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in claims_elsewhere or ("PersistentVolumeClaim", claim) in there, where
        for container in spec["containers"]:
            for variable in container.get("env", ()):
                source = variable.get("valueFrom", {})
                if reference := source.get("configMapKeyRef"):
                    assert reference["key"] in told[reference["name"]], where
                if reference := source.get("secretKeyRef"):
                    assert reference["name"] in SECRETS, where


def test_what_the_service_writes_has_room_on_a_read_only_root(deploy):
    """Its journal and the files of its processes; bundles and keys are only read."""
    serving = yaml.safe_load((deploy.parent / "configs/serving.yaml").read_text())
    image = dict(
        re.findall(r"^ *(?:ENV )?(HOME|NUMBA_CACHE_DIR)=(\S+)", (deploy / "Dockerfile").read_text(), re.MULTILINE)
    )
    assert image["HOME"] == "/tmp"
    home = Path("/srv/foretaste")
    for overlay in ("overlays/local", "overlays/production"):
        (container,) = (each for where, each in containers(rendered(deploy / "kubernetes" / overlay)) if where == API)
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounts = {Path(mount["mountPath"]): mount.get("readOnly", False) for mount in container["volumeMounts"]}

        def is_read_only(path, mounts=mounts):
            """Of the innermost mount that the path lies in."""
            return next((mounts[each] for each in (path, *path.parents) if each in mounts), True)

        assert not is_read_only(home / serving["log"]["journal_dir"]), overlay
        assert not is_read_only(Path(image["NUMBA_CACHE_DIR"])), overlay
        assert not is_read_only(Path("/tmp")), overlay  # sockets of several workers, and the home of libraries
        assert is_read_only(home / serving["store"]), overlay
        assert f"--set=log.url=$({DATABASE})" in container["args"], "not the file of the config"


def test_selectors_find_their_pods(resources):
    labels = [template["metadata"]["labels"] for _, _, template in pods(resources)]
    for each in resources:
        spec = each.get("spec", {})
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = spec["selector"].get("matchLabels", spec["selector"])
            assert any(wanted.items() <= one.items() for one in labels), each["metadata"]["name"]
        if each["kind"] == "Service":
            ports = {
                port.get("name")
                for _, _, template in pods(resources)
                if spec["selector"].items() <= template["metadata"]["labels"].items()
                for container in template["spec"]["containers"]
                for port in container.get("ports", ())
            }
            assert all(port.get("targetPort") in {*ports, None, port["port"]} for port in spec["ports"])


def test_every_pod_of_ours_is_shut_off_unless_named(resources):
    policies = [each["spec"] for each in resources if each["kind"] == "NetworkPolicy"]
    for _, name, template in pods(resources):
        labels = template["metadata"]["labels"]
        if labels.get("app.kubernetes.io/part-of") == "foretaste":
            closing = [
                spec
                for spec in policies
                if spec["podSelector"].get("matchLabels", {}).items() <= labels.items()
                and set(spec["policyTypes"]) == {"Ingress", "Egress"}
            ]
            assert closing, name


def test_no_secret_is_in_the_files(resources):
    assert not [each for each in resources if each["kind"] == "Secret"]


def test_the_configs_are_those_of_the_repository(resources, deploy):
    data = next(each["data"] for each in resources if each["metadata"]["name"].startswith("foretaste-configs-"))
    assert data
    for name, text in data.items():
        assert text == (deploy.parent / "configs" / name).read_text()


def test_our_commands_take_what_they_are_given(resources):
    """Every option is one that the command has, and every config is one that the pod sees."""
    from typer.main import get_command

    from foretaste.cli import create_app

    command_line = get_command(create_app())
    configs = next(each["data"] for each in resources if each["metadata"]["name"].startswith("foretaste-configs-"))
    seen = 0
    for where, container in containers(resources):
        arguments = container.get("args", [])
        for argument in arguments:
            if "configs/" in argument:
                assert argument.partition("configs/")[2] in configs, f"{where}: {argument}"
        if "foretaste" in arguments:
            name, *options = arguments[arguments.index("foretaste") + 1 :]
            command = command_line.commands[name]
            while hasattr(command, "commands"):
                name, *options = options
                command = command.commands[name]
            command.make_context(name, options)
            seen += 1
    assert seen


def test_images_are_targets_of_the_dockerfile(resources, deploy):
    targets = (deploy / "Dockerfile").read_text()
    for where, container in containers(resources):
        image = container["image"].rpartition("/")[2].split(":")[0].removeprefix("foretaste-")
        assert image == "postgres" or f" AS {image}\n" in targets, where


def test_the_overlay_says_which_images(deploy):
    for where, container in containers(rendered(deploy / "kubernetes/overlays/production")):
        assert container["image"].startswith("registry.example.org/foretaste/"), where
        assert container["image"].endswith(":0.1.0"), where
