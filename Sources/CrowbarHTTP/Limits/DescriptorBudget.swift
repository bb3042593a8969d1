/// How many of a process' file descriptors the listeners may use, so that the log, the plugins and the command line's
/// socket always find some.
public struct DescriptorBudget: Sendable, Equatable {
    /// Connections of the API's listener at once.
    public var connections: Int
    /// Connections of the command line's socket at once.
    public var control: Int

    /// Divides a limit of open files.
    public init(limit: Int) {
        let limit = min(limit, 1 << 20)
        let reserve = max(128, min(limit * 3 / 8, 2_048))
        connections = max(8, min(APIConfiguration.Limit.connections, limit - reserve))
        control = max(8, min(128, reserve / 6))
    }
}
