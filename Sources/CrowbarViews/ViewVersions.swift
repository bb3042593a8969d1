import CrowbarCore

/// The versions of the views' rows: the ones that are built, and older ones that can be read meanwhile.
struct ViewVersions: Sendable {
    /// The version in which a view is built.
    var built: [ViewName: Int]
    /// The older versions of a view that are served until the new rows are complete.
    var readable: [ViewName: Set<Int>]

    /// Those of this code.
    static let current = ViewVersions(
        built: [
            .users: UsersView.version, .channels: ChannelsView.version, .messages: MessagesView.version,
            .search: SearchRows.version,
        ],
        readable: [
            .users: UsersView.readableVersions, .channels: ChannelsView.readableVersions,
            .messages: MessagesView.readableVersions, .search: SearchRows.readableVersions,
        ])

    /// The version in which a view is built.
    func version(of name: ViewName) -> Int { built[name] ?? 0 }

    /// Whether rows of a version can be read.
    func isReadable(_ name: ViewName, _ version: Int) -> Bool {
        version == built[name] || readable[name]?.contains(version) == true
    }
}
