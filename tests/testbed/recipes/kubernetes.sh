#!/bin/sh
# Builds kube-apiserver and kube-controller-manager from Debian's source package, without any network.
# Arguments: the unpacked source, a folder for Go's caches, the root holding Go and reflect2, the destination.
set -eu
src=$1 go=$2 tools=$3 dest=$4
export PATH="$tools/usr/lib/go-1.19/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME="$go" GOCACHE="$go/cache" GOPATH="$src/.go"
export GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0

# The vendored reflect2 reads runtime maps as Go before 1.18 laid them out, and crashes.
reflect2=github.com/modern-go/reflect2
rm -rf "$src/vendor/$reflect2"
cp -rL "$tools/usr/share/gocode/src/$reflect2" "$src/vendor/$reflect2"

mkdir -p "$src/.go/src/k8s.io" "$go" "$dest"
ln -sfn ../../.. "$src/.go/src/k8s.io/kubernetes"
cd "$src/.go/src/k8s.io/kubernetes"
make WHAT="cmd/kube-apiserver cmd/kube-controller-manager" GOLDFLAGS="-s -w"
cp _output/bin/kube-apiserver _output/bin/kube-controller-manager "$dest/"
