import Settings

/// `[metrics]`: where metrics are given out without a token.
struct MetricsSettings: Sendable, Equatable {
    /// Where the listener of the metrics listens; nil: there is none.
    var listen: ListenAddress?

    /// The environment variable that wins over the file.
    static let variable = "CROWBAR_METRICS_LISTEN"

    /// Settings without a listener.
    init() {}

    /// Reads the table.
    /// - Parameter api: Where the API listens.
    /// - Throws: ``SettingsError``.
    init(_ table: SettingsReader?, environment: [String: String], api: ListenAddress) throws {
        try table?.refuseUnknown(knowing: ["listen"])
        let set = environment[Self.variable]
        guard let text = try set ?? table?.string("listen") else { return }
        func error(_ reason: String) -> SettingsError {
            guard set == nil, let table else {
                return SettingsError(file: "environment", key: Self.variable, reason: reason)
            }
            return table.error("listen", reason)
        }
        guard let address = ListenAddress(text) else {
            throw error("must be HOST:PORT, as \"127.0.0.1:9464\" or \"[::1]:9464\"")
        }
        if address == api, address.port != 0 {
            throw error("is the address of [http] listen; use another port")
        }
        listen = address
    }
}
