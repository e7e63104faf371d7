import() {
  socket=$1 platform=$2
  tar -cf - -C "$ship" oci-layout index.json blobs |
    ctr ${socket:+--address "$socket"} --namespace k8s.io images import --platform "$platform" -
}
