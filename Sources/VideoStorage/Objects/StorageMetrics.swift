import Metrics

/// What the storage worker counts.
struct StorageMetrics: Sendable {
    /// Chunks that were read and answered.
    let reads: Counter
    /// Bytes in those chunks.
    let readBytes: Counter
    /// Blobs that were entered into the catalogue because they were found in the provider, new or changed.
    let adoptions: Counter
    /// Locations that were refused because they lead out of the provider's root.
    let refusals: Counter
    /// Questions to the catalogue that a chunk needed because its version was not known to this worker.
    let catalogueLookups: Counter

    /// Counts in the given system.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        reads = Counter(label: "millrace_storage_reads_total", dimensions: [], factory: factory)
        readBytes = Counter(label: "millrace_storage_read_bytes_total", dimensions: [], factory: factory)
        adoptions = Counter(label: "millrace_storage_adoptions_total", dimensions: [], factory: factory)
        refusals = Counter(label: "millrace_storage_refusals_total", dimensions: [], factory: factory)
        catalogueLookups = Counter(
            label: "millrace_storage_catalogue_lookups_total", dimensions: [], factory: factory)
    }
}
