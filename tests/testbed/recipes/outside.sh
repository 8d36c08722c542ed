#!/bin/sh
# Content of the outside world, made inside the nodes' root: two git repositories, a web page and a large file,
# and a registry holding one image. Runs in a network namespace of its own with only its loopback.
set -eu
ip link set lo up
outside=/srv/outside
export GIT_AUTHOR_NAME=testbed GIT_AUTHOR_EMAIL=testbed@outside.test
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
mkdir -p "$outside/git" "$outside/web" "$outside/registry"

echo ok >"$outside/web/index.html"
head -c 4194304 /dev/urandom >"$outside/web/large.bin"

for name in fleet shop; do
  work=$(mktemp -d)
  git init -q -b main "$work"
  echo "$name" >"$work/README"
  head -c 524288 /dev/urandom >"$work/payload.bin"
  git -C "$work" add .
  git -C "$work" commit -q -m "First"
  git clone -q --bare "$work" "$outside/git/$name.git"
  rm -rf "$work"
done
chown -R www-data: "$outside/git"

cat >/etc/docker/registry/outside.yml <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $outside/registry}}
http: {addr: "127.0.0.1:5000"}
END
docker-registry serve /etc/docker/registry/outside.yml &
registry=$!
trap 'kill $registry' EXIT
curl -sS --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null http://127.0.0.1:5000/v2/

layer=$(mktemp)
head -c 1048576 /dev/urandom >"$layer"
config=$(mktemp)
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >"$config"
url=http://127.0.0.1:5000/v2/shop/web
for blob in "$layer" "$config"; do
  digest=sha256:$(sha256sum "$blob" | cut -d' ' -f1)
  place=$(curl -sS -i -X POST "$url/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
  curl -sS -f -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' \
    --data-binary @"$blob" "$place&digest=$digest"
done
manifest=$(mktemp)
cat >"$manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
"config":{"mediaType":"application/vnd.docker.container.image.v1+json",
"size":$(stat -c %s "$config"),"digest":"sha256:$(sha256sum "$config" | cut -d' ' -f1)"},
"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip",
"size":1048576,"digest":"sha256:$(sha256sum "$layer" | cut -d' ' -f1)"}]}
END
curl -sS -f -o /dev/null -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' \
  --data-binary @"$manifest" "$url/manifests/1.0"
rm -f "$layer" "$config" "$manifest"
chown -R docker-registry: "$outside/registry"
