import Glibc

/// How many connections fit into the files that the process may open.
struct DescriptorBudget: Equatable {
    /// Deliveries in flight at most, over all endpoints.
    static let mostInFlight = 4096
    /// Connections at most that stay open for the next delivery: one for each endpoint of a full configuration. libcurl
    /// counts those at work too, and once there are more it closes each when its delivery ends, so that a burst to many
    /// endpoints would open a connection for every event.
    static let mostKept = SendLimits.maxEndpoints + 280
    /// Files that are left for what is no connection.
    static let spare = 64

    /// Deliveries in flight.
    let inFlight: Int
    /// Connections, at work or idle, up to which idle ones are kept.
    let kept: Int

    /// Divides a number of files.
    init(files: Int) {
        let room = max(2, files - Self.spare)
        kept = min(Self.mostKept, max(1, room / 4))
        inFlight = min(Self.mostInFlight, room - kept)
    }

    /// Raises the soft limit of open files towards the hard one, and divides it.
    static func claimed() -> DescriptorBudget {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return DescriptorBudget(files: 256)
        }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(mostInFlight + mostKept + spare))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return DescriptorBudget(files: Int(limit.rlim_cur))
    }
}
